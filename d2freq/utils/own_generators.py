"""Random generators that objects keep for themselves: found by their attributes, states as bytes.

A transform with a ``numpy.random.Generator`` of its own, or a module with a ``torch.Generator``,
draws from neither of the process's global sources.
"""

import json
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

__all__ = ["OwnGenerators"]

KINDS = (random.Random, np.random.RandomState, np.random.Generator, torch.Generator)
DEPTH = 8  # attributes of attributes
LONGEST = 64  # longer lists are data, which hold no generators
MOST = 20_000  # objects looked at: whoever holds more is no transform


class OwnGenerators:
    """The generators that an object, and what it is made of, keep.

    Args:
        root: where to look.
        skip: classes whose own generators do not count; what else they hold does.
    """

    def __init__(self, root: Any, *, skip: tuple[type, ...] = ()) -> None:
        self._found = list(_find(root, skip))

    def __len__(self) -> int:
        return len(self._found)

    def pack(self) -> bytes:
        """Their states, JSON; b"" where there is no generator."""
        if not self._found:
            return b""
        return json.dumps([_state(generator) for generator in self._found]).encode()

    def unpack(self, packed: bytes) -> None:
        """Go back to states that :meth:`pack` of the same kind of object returned.

        Raises:
            ValueError: they are of other generators.
        """
        states = json.loads(packed) if packed else []
        if len(states) != len(self._found):
            raise ValueError(f"{len(states)} states for {len(self._found)} random generators")
        for generator, state in zip(self._found, states, strict=True):
            _set(generator, state)


def _find(root: Any, skip: tuple[type, ...]) -> Iterator[Any]:
    seen: set[int] = set()

    def look(item: Any, depth: int) -> Iterator[Any]:
        if (
            id(item) in seen
            or depth > DEPTH
            or len(seen) > MOST
            or isinstance(item, type | torch.Tensor | np.ndarray)
        ):
            return
        seen.add(id(item))
        if isinstance(item, KINDS):
            yield item
            return
        if isinstance(item, dict):
            children = list(item.values())[:LONGEST]
        elif isinstance(item, list | tuple):
            children = list(item) if len(item) <= LONGEST else []
        else:
            children = list(getattr(item, "__dict__", {}).values())
        for child in children:
            if not (isinstance(child, KINDS) and isinstance(item, skip)):
                yield from look(child, depth + 1)

    yield from look(root, 0)


def _state(generator: Any) -> Any:
    if isinstance(generator, random.Random):
        return generator.getstate()
    if isinstance(generator, torch.Generator):
        return generator.get_state().tolist()
    if isinstance(generator, np.random.Generator):
        return _plain(generator.bit_generator.state)
    return _plain(generator.get_state(legacy=False))


def _set(generator: Any, state: Any) -> None:
    if isinstance(generator, random.Random):
        version, words, gauss = state
        generator.setstate((version, tuple(words), gauss))
    elif isinstance(generator, torch.Generator):
        generator.set_state(torch.tensor(state, dtype=torch.uint8))
    elif isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    else:
        generator.set_state(state)


def _plain(state: Any) -> Any:
    """Without numpy's arrays and numbers, which JSON does not know."""
    if isinstance(state, dict):
        return {name: _plain(value) for name, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray | np.generic) else state
