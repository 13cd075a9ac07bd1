"""Options that several commands take, each written once."""

import argparse
import re
from collections.abc import Sequence
from typing import Any

__all__ = ["OVERRIDES", "Several", "add", "add_generated", "gather_overrides"]

BEHIND = "words_behind"  # of the namespace, until gather_overrides
KEY = re.compile(r"[A-Z]\w*(\.\w+)+(=|$)|[+~]?[a-z]\w*(\.\w+)+=")
OVERRIDES = "overrides: KEY VALUE, or key=value"
OPTIONS: dict[str, dict[str, Any]] = {
    "--config-file": {"required": True, "help": "YAML or lazy config, or its name"},
    "--weights": {"help": "checkpoint; without it the initial weights"},
    "opts": {"nargs": argparse.REMAINDER, "help": OVERRIDES},
    "--dataset": {"help": "registered name; without it the config's test set"},
    "--device": {"default": "cpu", "help": "cpu or cuda"},
    "--image": {"required": True, "help": "any picture; it is not resized"},
    "--output": {"required": True, "help": "the PNG to write"},
    "--count": {"type": int, "help": "images; 0 is all"},
    "--seed": {"type": int, "default": 0, "help": "the same seed gives the same bytes"},
    "--workers": {"type": int, "help": "processes; without it one a core"},
    "--overwrite": {"action": "store_true", "help": "replace other tiles there"},
}


def add(parser: argparse._ActionsContainer, *names: str, **changed: Any) -> None:
    """Add options of the table; ``changed`` are add_argument's words that differ from it here."""
    for name in names:
        parser.add_argument(name, **{**OPTIONS[name], **changed})


def add_generated(
    parser: argparse.ArgumentParser, name: str, splits: dict[str, tuple[int, str]]
) -> None:
    """Where a generated data set goes, its seed, and split -> how many of what."""
    parser.add_argument(
        "--output", help=f"folder; without it $DETECTRON2_DATASETS/{name}, or datasets/..."
    )
    add(parser, "--seed")
    for split, (number, what) in splits.items():
        parser.add_argument(f"--{split}", type=int, default=number, metavar="N", help=what)


class Several(argparse.Action):
    """An option of one word or more that lets the KEY VALUE words behind it pass.

    argparse gives an option with ``nargs="+"`` every word up to the next flag, the overrides too.

    Args:
        kind: int, float or str, of each word; a word behind the first that is no such number
            begins the overrides, and of words any that looks like a key: A.B, or a.b=...
        most: words at most; 0 is any number. Further ones begin the overrides.
        allowed: the words that there are; () for any.
    """

    def __init__(
        self,
        option_strings: Sequence[str],
        dest: str,
        *,
        kind: type = str,
        most: int = 0,
        allowed: Sequence[str] = (),
        **given: Any,
    ) -> None:
        super().__init__(option_strings, dest, nargs="+", **given)
        self.kind, self.most, self.allowed = kind, most, allowed

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        """Keep the words that belong to the option, and put the others aside for the overrides."""
        own = [self._converted(values[0])]
        for word in values[1:]:
            if self._begins_overrides(word, len(own)):
                break
            own.append(self._converted(word))
        setattr(namespace, self.dest, own)
        setattr(namespace, BEHIND, values[len(own) :])

    def _begins_overrides(self, word: str, before: int) -> bool:
        if self.most and before == self.most:
            return True
        if self.kind is str:
            return bool(KEY.match(word)) and not self.most
        try:
            self.kind(word)
        except ValueError:
            return True
        return False

    def _converted(self, word: str) -> Any:
        if self.allowed and word not in self.allowed:
            known = ", ".join(self.allowed)
            raise argparse.ArgumentError(self, f"invalid choice: {word!r} (choose from {known})")
        try:
            return self.kind(word)
        except ValueError:
            name = self.kind.__name__
            raise argparse.ArgumentError(self, f"invalid {name} value: {word!r}") from None


def gather_overrides(arguments: argparse.Namespace) -> None:
    """Put the words that an option of :class:`Several` has let pass in front of ``opts``."""
    behind = vars(arguments).pop(BEHIND, [])
    if behind:
        arguments.opts = [*behind, *arguments.opts]
