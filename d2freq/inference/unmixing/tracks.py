"""Targets of one frame followed to the next: which of them is the same one.

Shape shorthand: T frames, n targets of a frame.
"""

from collections.abc import Sequence

import numpy as np

__all__ = ["follow"]

JUMP = 1.0  # pixels that a target may move from frame to frame, at least
SURE = 4.0  # standard deviations of both positions that it may be off, where these are more
PATIENCE = 2  # frames that a target may be missing


def follow(positions: Sequence[np.ndarray], deviations: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Numbers of the tracks, from 1 on in the order of their first frame.

    Pairs of neighbouring frames are those with the least sum of squared distances.

    Args:
        positions: of each frame (n, 2), row and column in pixels.
        deviations: of each frame (n,), standard deviations in pixels.

    Returns:
        of each frame (n,) int64.
    """
    from scipy.optimize import linear_sum_assignment

    places, spreads, last = np.zeros((0, 2)), np.zeros(0), np.zeros(0, np.int64)  # of the tracks
    found = []
    for frame, (own, spread) in enumerate(zip(positions, deviations, strict=True)):
        numbers = np.zeros(len(own), np.int64)
        alive = np.flatnonzero(frame - last <= 1 + PATIENCE)
        apart = np.linalg.norm(own[:, None] - places[alive], axis=2)
        reach = np.maximum(JUMP, SURE * np.hypot(spread[:, None], spreads[alive]))
        # a pair out of reach costs more than any number of pairs within
        cost = np.where(apart <= reach, apart**2, 1e6)
        for one, other in zip(*linear_sum_assignment(cost), strict=True):
            if cost[one, other] < 1e6:
                numbers[one] = alive[other] + 1
        fresh = np.flatnonzero(numbers == 0)
        numbers[fresh] = len(places) + 1 + np.arange(len(fresh))
        places = np.concatenate([places, own[fresh]])
        spreads = np.concatenate([spreads, spread[fresh]])
        last = np.concatenate([last, np.full(len(fresh), frame)])
        places[numbers - 1], spreads[numbers - 1], last[numbers - 1] = own, spread, frame
        found.append(numbers)
    return found
