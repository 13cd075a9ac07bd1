"""The second word of a command, such as ``d2freq analyze bands``: its options, and what it calls.

A new topic is a ``Topic`` in its command's TOPICS and the function behind it.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

__all__ = ["Options", "Topic", "add_topics", "run_topic"]

Options = dict[str, Any]
NOT_OPTIONS = ("check", "needs_host", "run")  # of a namespace: what d2freq.cli does with a command


def _line(found: object) -> list[str]:
    return [str(found)]


@dataclass(frozen=True)
class Topic:
    """What a word stands for.

    Attributes:
        name: the word.
        summary: a line about it.
        add_arguments: adds the options, each under the name of a parameter of ``function``.
        function: gets every option by its name, so that a wrong name is an error.
        show: the lines to print of what the function returns.
        method: how it measures, for --help.
        needs_host: False where the function imports neither torch nor the host, so that it need
            not wait for them.
        words: option -> function from the words on the command line to what ``function`` takes,
            for what one word alone cannot say. It is called before all else and raises UserError.
    """

    name: str
    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    function: Callable[..., Any]
    show: Callable[[Any], Iterable[str]] = _line
    method: str = ""
    needs_host: bool = True
    words: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)


def run_topic(topic: Topic, options: Options) -> None:
    """Call the topic's function and print what came out."""
    print("\n".join(topic.show(topic.function(**options))))


def add_topics(
    command: argparse.ArgumentParser,
    topics: Iterable[Topic],
    run: Callable[[Topic, Options], None] = run_topic,
) -> None:
    """Give a command a second word; ``run`` does what all its topics have in common."""
    choices = command.add_subparsers(title="what", metavar="WHAT", required=True)
    for topic in topics:
        parser = choices.add_parser(
            topic.name,
            help=topic.summary,
            description=f"{topic.summary}. {topic.method}" if topic.method else topic.summary,
            formatter_class=_Formatter,
        )
        topic.add_arguments(parser)
        parser.set_defaults(run=partial(_run, topic, run), needs_host=topic.needs_host)


def _run(
    topic: Topic, run: Callable[[Topic, Options], None], arguments: argparse.Namespace
) -> None:
    options = {name: value for name, value in vars(arguments).items() if name not in NOT_OPTIONS}
    options |= {name: convert(options[name]) for name, convert in topic.words.items()}
    run(topic, options)


class _Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Help with defaults, where there is one to tell."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        switch_off = action.const is False  # a flag that is False itself where it is given
        silent = action.default is None or action.default is False or action.default == ""
        return action.help if silent or switch_off else super()._get_help_string(action)
