r"""Parameters chosen by patterns of their names.

A pattern is a glob: ``backbone.bottom_up.res[23]`` is a module and all below it,
``*.norm.weight`` a parameter wherever it stands. After ``re:`` it is a regular expression,
searched for in the parameter's whole name: ``re:conv[12]\.weight$``.
"""

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from torch import nn

from d2freq.errors import UserError
from d2freq.utils.choices import did_you_mean

__all__ = ["matching"]

REGEX = "re:"


def matching(model: nn.Module, pattern: str, *, key: str) -> list[str]:
    """The names of the model's parameters that a pattern chooses, in their order.

    Args:
        model: also one on device "meta".
        pattern: see the module.
        key: where the pattern was given, for the message.

    Raises:
        UserError: it chooses nothing, or is no regular expression.
    """
    names = [name for name, _ in model.named_parameters()]
    found = [name for name in names if _matches(name, pattern, key)]
    if not found:
        near = did_you_mean(pattern.removeprefix(REGEX), dict.fromkeys(_places(names)))
        raise UserError(f"{key}: {pattern!r} matches no parameter of {type(model).__name__}{near}")
    return found


def _matches(name: str, pattern: str, key: str) -> bool:
    if pattern.startswith(REGEX):
        try:
            return re.search(pattern.removeprefix(REGEX), name) is not None
        except re.error as error:
            raise UserError(f"{key}: {pattern!r} is no regular expression: {error}") from error
    return any(fnmatchcase(place, pattern) for place in _places([name]))


def _places(names: Iterable[str]) -> Iterator[str]:
    """Each name, and the modules that it lies in."""
    for name in names:
        parts = name.split(".")
        yield from (".".join(parts[:n]) for n in range(1, len(parts) + 1))
