"""The subcommands of ``d2freq``, a module each, and what their parsers share.

A command module has ``SUMMARY`` and ``add_arguments(parser)``, which sets ``run``; what is slow to
import it imports in there. ``d2freq.cli.COMMANDS`` lists the modules.
"""

import argparse
from collections.abc import Callable

Topics = dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]]


def add_topics(command: argparse.ArgumentParser, topics: Topics) -> None:
    """Give a command a second word: name -> (summary, function that adds its arguments)."""
    choices = command.add_subparsers(title="what", metavar="WHAT", required=True)
    for name, (summary, add_arguments) in topics.items():
        formatter = argparse.ArgumentDefaultsHelpFormatter
        topic = choices.add_parser(
            name, help=summary, description=summary, formatter_class=formatter
        )
        add_arguments(topic)
