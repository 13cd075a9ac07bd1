"""The states of all random sources of a process: Python's, numpy's, torch's on CPU and CUDA.

They are packed as bytes of fixed layout, not as pickles, so that a checkpoint of a stranger that
holds some can be read without running code.
"""

import random
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["kept_random_states", "pack_random_states", "unpack_random_states"]

WORDS = 625  # of Python's Mersenne twister: 624 and the position in them
# version; whether Python's next Gaussian is there, and it; numpy's position, likewise, and it
HEADER = struct.Struct("<BBdIBd")
VERSION = 1


def pack_random_states(*, cuda: bool = False) -> bytes:
    """The states now, about 10 KB; with ``cuda`` those of all CUDA devices that are in use too."""
    _, words, gauss = random.getstate()
    kind, key, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002  the global one is what is kept
    assert kind == "MT19937", f"numpy's global generator is a {kind}"
    parts = [
        HEADER.pack(VERSION, gauss is not None, gauss or 0.0, position, has_gauss, cached),
        np.array(words, dtype="<u4").tobytes(),
        np.asarray(key, dtype="<u4").tobytes(),
        _sized(torch.get_rng_state()),
    ]
    if cuda and torch.cuda.is_available() and torch.cuda.is_initialized():
        parts += [_sized(state) for state in torch.cuda.get_rng_state_all()]
    return b"".join(parts)


def unpack_random_states(packed: bytes) -> None:
    """Go back to the states that :func:`pack_random_states` saw.

    CUDA devices that this process lacks are left out.

    Raises:
        ValueError: the bytes are no such states.
    """
    try:
        version, has_next, gauss, position, has_gauss, cached = HEADER.unpack_from(packed)
        if version != VERSION:
            raise ValueError(f"version {version}")
        at = HEADER.size
        words = np.frombuffer(packed, "<u4", WORDS, at)
        at += 4 * WORDS
        key = np.frombuffer(packed, "<u4", WORDS - 1, at)
        at += 4 * (WORDS - 1)
        tensors = []
        while at < len(packed):
            (size,) = struct.unpack_from("<I", packed, at)
            at += 4
            tensors.append(torch.frombuffer(bytearray(packed[at : at + size]), dtype=torch.uint8))
            at += size
        random.setstate((3, tuple(words.tolist()), gauss if has_next else None))
        of_numpy = ("MT19937", key, position, has_gauss, cached)
        np.random.set_state(of_numpy)  # noqa: NPY002
        torch.set_rng_state(tensors[0])
    except (IndexError, RuntimeError, TypeError, ValueError, struct.error) as error:
        raise ValueError(f"these {len(packed)} bytes are no random states: {error}") from error
    if len(tensors) > 1 and torch.cuda.is_available():
        for device, state in enumerate(tensors[1:][: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(state, device)


@contextmanager
def kept_random_states() -> Iterator[None]:
    """Whatever is drawn inside, the draws after it are those that would have come without.

    For what happens between two steps of training, such as an evaluation: a training that is
    resumed behind it, or that does without, draws the same.
    """
    before = pack_random_states(cuda=True)
    try:
        yield
    finally:
        unpack_random_states(before)


def _sized(state: torch.Tensor) -> bytes:
    content = state.cpu().numpy().tobytes()
    return struct.pack("<I", len(content)) + content
