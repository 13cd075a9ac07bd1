"""From the fingerprints of two splits to pairs of images that are worth a look at their pixels."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import product

import numpy as np

from d2freq.data.leaks.align import Guess
from d2freq.data.leaks.anchors import Fingerprint, half_size
from d2freq.data.leaks.match import Table, match, near_codes

__all__ = ["Guesses", "guess_pairs"]

VOTES = 2  # anchors that have to agree on a shift before pixels are compared
ASPECT = 0.02  # two whole images are compared where their aspect ratios differ by less

Guesses = dict[tuple[int, int], list[Guess]]  # by index of both images, best guess first


def guess_pairs(ours: Sequence[Fingerprint], theirs: Sequence[Fingerprint]) -> tuple[Guesses, int]:
    """Pairs whose anchors agree on a shift, at equal scale or one at half size; or that look alike.

    Returns:
        shifts to try for each pair, and how many anchors were too common to be looked up.
    """
    votes: dict[tuple[int, int], list[tuple[int, Guess]]] = defaultdict(list)
    crowds = []
    for half, other_half in product((False, True), repeat=2):
        candidates, crowded = match(
            _table(ours, half=half), _table(theirs, half=other_half), min_votes=VOTES
        )
        crowds.append(crowded)
        for found in candidates:
            guess = _guess(ours[found.image], theirs[found.other], found.shift, half, other_half)
            votes[found.image, found.other].append((found.votes, guess))
    for i, j in _alike(ours, theirs):
        size = min(ours[i].size, theirs[j].size)
        votes[i, j].append((0, Guess(size, size, (0, 0))))
    guesses = {
        pair: [guess for _, guess in sorted(entries, key=lambda entry: -entry[0])]
        for pair, entries in votes.items()
    }
    return guesses, max(crowds)


def _alike(ours: Sequence[Fingerprint], theirs: Sequence[Fingerprint]) -> set[tuple[int, int]]:
    """Images that look alike as a whole, or have equal pixels; flat ones left out."""
    index, others = ([i for i, p in enumerate(side) if not p.flat] for side in (ours, theirs))
    if not index or not others:
        return set()
    codes = np.concatenate([ours[i].whole for i in index])
    other_codes = np.concatenate([theirs[j].whole for j in others])
    near, _ = near_codes(codes, other_codes)
    pairs = {(index[i], others[j]) for i, j in near.T.tolist()}
    pairs = {(i, j) for i, j in pairs if _same_aspect(ours[i].size, theirs[j].size)}
    twins = defaultdict(list)
    for j in others:
        twins[theirs[j].digest].append(j)
    return pairs | {(i, j) for i in index for j in twins[ours[i].digest]}


def _same_aspect(size: tuple[int, int], other: tuple[int, int]) -> bool:
    return abs(size[0] * other[1] / (size[1] * other[0]) - 1) < ASPECT


def _guess(
    image: Fingerprint, other: Fingerprint, shift: tuple[int, int], half: bool, other_half: bool
) -> Guess:
    if half and other_half:  # coarse anchors survive more noise; the pixels are compared in full
        return Guess(image.size, other.size, (2 * shift[0], 2 * shift[1]))
    size = half_size(*image.size) if half else image.size
    other_size = half_size(*other.size) if other_half else other.size
    return Guess(size, other_size, shift)


def _table(prints: Sequence[Fingerprint], *, half: bool) -> Table:
    parts = [image.half if half else image.full for image in prints]
    owners = np.repeat(np.arange(len(parts), dtype=np.int32), [len(part.code) for part in parts])
    points = np.concatenate([np.zeros((0, 2), np.int32), *(part.xy for part in parts)])
    codes = np.concatenate([np.zeros(0, np.uint64), *(part.code for part in parts)])
    return Table(owners, points, codes)
