"""Refusals of unknown names and values: they say which are known, or which one was meant."""

import difflib
from collections.abc import Iterable
from typing import TypeVar

from d2freq.errors import UserError

T = TypeVar("T")


def choice(value: T, choices: Iterable, *, key: str) -> T:
    """``value``, which is one of ``choices``.

    Args:
        key: where the value was given, as the message names it: "MODEL.SET.NORM".

    Raises:
        UserError: it is none of them; the message names key, value and choices.
    """
    known = list(choices)
    if value not in known:
        raise UserError(f"{key}: {value!r} is unknown; choose one of {join_names(known)}")
    return value


def join_names(names: Iterable) -> str:
    """Choices as a sentence shows them."""
    return ", ".join("''" if name == "" else str(name) for name in names)


def did_you_mean(word: str, known: Iterable[str], *, n: int = 1, cutoff: float = 0.5) -> str:
    """``"; did you mean a, b?"`` with the ``n`` nearest of ``known``, or "" where none comes near.

    Args:
        cutoff: the least similarity, as of difflib: 0 takes any, 1 only the word itself.
    """
    near = difflib.get_close_matches(word, list(known), n=n, cutoff=cutoff)
    return f"; did you mean {', '.join(near)}?" if near else ""
