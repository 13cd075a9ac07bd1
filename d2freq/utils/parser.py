"""A command line that names the nearest word for a mistyped one."""

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any

from d2freq.utils.choices import did_you_mean

__all__ = ["Parser"]

UNKNOWN_WORD = re.compile(r"invalid choice: '?([^' ]+)'? \(choose from (.*)\)$", re.DOTALL)


class Parser(argparse.ArgumentParser):
    """argparse's parser, whose errors say what may have been meant, and which command is asked.

    Subcommands are parsers of this class, too.
    """

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's, but that an unknown flag is told by the command that it was given to."""
        words = list(sys.argv[1:] if args is None else args)
        found, unknown = self.parse_known_args(words, namespace)
        if unknown:
            asked = self._asked(words)
            near = did_you_mean(unknown[0].split("=")[0], asked.flags(), cutoff=0.6)
            asked.error(f"unrecognized arguments: {' '.join(unknown)}{near}")
        return found

    def error(self, message: str) -> Any:
        """Usage and message on stderr, exit code 2; a mistyped word is told with its nearest."""
        mistyped = UNKNOWN_WORD.search(message)
        if mistyped and "maybe you meant" not in message:  # as argparse itself says from 3.14 on
            known = re.split(r"[\s,']+", mistyped[2].strip("' "))
            message += did_you_mean(mistyped[1], known)
        super().error(message)

    def flags(self) -> list[str]:
        """All flags of this command."""
        return [flag for action in self._actions for flag in action.option_strings]

    def _asked(self, words: Sequence[str]) -> "Parser":
        """The parser of the subcommand that the words name, as deep as they go."""
        for place, word in enumerate(words):
            for action in self._actions:
                known = action.choices if isinstance(action, argparse._SubParsersAction) else None
                if known and word in known:
                    return known[word]._asked(words[place + 1 :])
        return self
