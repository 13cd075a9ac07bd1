"""Pairs of images whose anchors agree: a search by hash, then a vote on the shift.

Shape shorthand: N anchors of one side, M of the other, P pairs of anchors.

Two hashes that differ in few of 63 bits mostly agree in one of three thirds of 21 bits. So each
third is an index: 2 million buckets, and only what falls into the same bucket is compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

__all__ = ["Candidate", "Table", "match", "near_codes"]

THIRD = 21
DISTANCE = 8  # bits; JPEG at quality 40 flips 4 at most in 9 of 10, unrelated patches differ in 31
CROWD = 256  # a hash as common as that tells nothing, and comparing all would take quadratic time
SLACK = 4  # pixels between shifts that count as one
BATCH = 4_000_000  # pairs of anchors at a time: some 200 MB


@dataclass(frozen=True)
class Table:
    """Anchors of all images of one side."""

    image: np.ndarray  # (N,) int32, index of the image
    xy: np.ndarray  # (N, 2) int32, pixels
    code: np.ndarray  # (N,) uint64


@dataclass(frozen=True)
class Candidate:
    """Two images that may show the same: a point of one plus the shift is a point of the other."""

    image: int
    other: int
    shift: tuple[int, int]  # x, y in pixels
    votes: int


def match(table: Table, other: Table, *, min_votes: int) -> tuple[list[Candidate], int]:
    """Pairs of images of which ``min_votes`` anchors agree on a shift.

    Returns:
        the candidates, and how many anchors of ``table`` were too common to be looked up.
    """
    pairs, crowded = near_codes(table.code, other.code)
    first, second = pairs
    keys = table.image[first].astype(np.int64) << 32 | other.image[second].astype(np.int64)
    order = np.argsort(keys, kind="stable")
    keys, first, second = keys[order], first[order], second[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    ends = np.append(starts, len(keys))[1:]
    found = []
    for start, end in zip(starts, ends, strict=True):
        if end - start < min_votes:
            continue
        rows = slice(start, end)
        shift, votes = _vote(other.xy[second[rows]] - table.xy[first[rows]])
        if votes >= min_votes:
            image, against = int(keys[start] >> 32), int(keys[start] & 0xFFFFFFFF)
            found.append(Candidate(image, against, shift, votes))
    return found, crowded


def near_codes(codes: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, int]:
    """Pairs of hashes that share a third and differ in at most 8 bits.

    Args:
        codes: (N,) uint64.
        others: (M,) uint64.

    Returns:
        (2, P) int64, indices into both, each pair once; and how many of ``codes`` were left out
        in at least one third because more than 256 of ``others`` share it.
    """
    found = [np.zeros((2, 0), np.int64)]
    crowded = np.zeros(len(codes), bool)
    for third in range(3):
        shift, mask = np.uint64(THIRD * third), np.uint64((1 << THIRD) - 1)
        wanted, keys = codes >> shift & mask, others >> shift & mask
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        left = np.searchsorted(keys, wanted, "left")
        count = np.searchsorted(keys, wanted, "right") - left
        crowded |= count > CROWD
        count[count > CROWD] = 0
        for first, place in _expand(left, count):
            second = order[place]
            near = _popcount(codes[first] ^ others[second]) <= DISTANCE
            found.append(np.stack([first[near], second[near]]))
    pairs = np.concatenate(found, axis=1)
    keys = np.unique(pairs[0] * max(1, len(others)) + pairs[1])
    return np.stack(np.divmod(keys, max(1, len(others)))), int(crowded.sum())


def _expand(left: np.ndarray, count: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(row, place) for each place left[row] ... left[row] + count[row] - 1, in batches of rows."""
    total = np.cumsum(count)
    start = 0
    while start < len(count):
        before = total[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(total, before + BATCH, "right")))
        part = count[start:end]
        rows = np.repeat(np.arange(start, end), part)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(part) - part, part)
        yield rows, left[rows] + within
        start = end


def _popcount(words: np.ndarray) -> np.ndarray:
    """Ones among the bits of each uint64."""
    return _ONES[words.view(np.uint16).reshape(-1, 4)].sum(axis=1, dtype=np.uint8)


_ONES = np.array([bin(word).count("1") for word in range(1 << 16)], np.uint8)


def _vote(shifts: np.ndarray) -> tuple[tuple[int, int], int]:
    """The shift that most of (P, 2) shifts lie near, and how many do."""
    shifts = shifts[:: len(shifts) // 2000 + 1]  # thousands of votes need no more of them
    near = np.abs(shifts[:, None] - shifts[None]).max(axis=2) <= SLACK
    best = int(near.sum(axis=1).argmax())
    x, y = np.median(shifts[near[best]], axis=0)
    return (round(x), round(y)), int(near[best].sum())
