"""The subcommands of ``d2freq``, a module each, and what their parsers share.

A command module has ``SUMMARY`` and ``add_arguments(parser)``, which sets ``run``; what is slow to
import it imports in there. ``d2freq.cli.COMMANDS`` lists the modules.
"""

import argparse
from collections.abc import Callable


class _Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Help with defaults, where there is one to tell."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        silent = action.default is None or action.default is False or action.default == ""
        return action.help if silent else super()._get_help_string(action)


Topics = dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]]


def add_topics(command: argparse.ArgumentParser, topics: Topics) -> None:
    """Give a command a second word: name -> (summary, function that adds its arguments)."""
    choices = command.add_subparsers(title="what", metavar="WHAT", required=True)
    for name, (summary, add_arguments) in topics.items():
        topic = choices.add_parser(
            name, help=summary, description=summary, formatter_class=_Formatter
        )
        add_arguments(topic)
