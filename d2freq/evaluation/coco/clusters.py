"""Which boxes can have to do with each other, so that thousands of them merge in small groups.

Shape legend: N boxes, K groups. Boxes are corners (x0, y0, x1, y1).
"""

from collections.abc import Iterator

import numpy as np

__all__ = ["clusters"]

PAIRS = 4_000_000  # looked at together: some 100 MB


def clusters(corners: np.ndarray, *, hulls: bool = False) -> np.ndarray:
    """(N,) int: the group of each box. Boxes that overlap, also by way of others, share one.

    Args:
        corners: (N, 4).
        hulls: groups whose hulls overlap become one, for methods that move boxes within them.
    """
    # scipy takes a fifth of a second, which `import d2freq` would otherwise spend
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(corners)
    label = np.arange(count)
    around = np.asarray(corners, np.float64)
    while count:
        first, second = _overlapping(around)
        graph = coo_array((np.ones(len(first), bool), (first, second)), shape=(count, count))
        fewer, joined = connected_components(graph, directed=False)
        label = joined[label]
        if not hulls or fewer == count:
            break
        merged = np.empty((fewer, 4))
        merged[:, :2], merged[:, 2:] = np.inf, -np.inf
        np.minimum.at(merged[:, :2], joined, around[:, :2])
        np.maximum.at(merged[:, 2:], joined, around[:, 2:])
        around, count = merged, fewer
    return label


def _overlapping(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both rows of each pair of boxes that overlap."""
    order = np.argsort(corners[:, 0], kind="stable")
    low, high = corners[order, :2], corners[order, 2:]
    # behind a box come those that begin, in x, before it ends
    ends = np.maximum(np.searchsorted(low[:, 0], high[:, 0]), np.arange(1, len(order) + 1))
    pairs = [
        (first[meets], second[meets])
        for first, second in _candidates(ends)
        for meets in [(low[second, 1] < high[first, 1]) & (high[second, 1] > low[first, 1])]
    ]
    first, second = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
    return order[first], order[second]


def _candidates(ends: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(row, each later row up to its end), a few million pairs at a time."""
    counts = ends - np.arange(1, len(ends) + 1)
    total = np.cumsum(counts)
    start = 0
    while start < len(ends):
        before = total[start] - counts[start]
        stop = max(start + 1, int(np.searchsorted(total, before + PAIRS, side="right")))
        own = counts[start:stop]
        first = np.repeat(np.arange(start, stop), own)
        within = np.arange(len(first)) - np.repeat(np.cumsum(own) - own, own)
        yield first, first + 1 + within
        start = stop
