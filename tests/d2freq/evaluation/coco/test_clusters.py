"""Groups of boxes, against a loop over all pairs."""

import numpy as np
import pytest

from d2freq.evaluation.coco import clusters as module
from d2freq.evaluation.coco.clusters import clusters


def slow(corners: np.ndarray, *, hulls: bool) -> np.ndarray:
    groups = [[n] for n in range(len(corners))]
    boxes = corners.copy()

    def hull(group):
        return np.concatenate([boxes[group, :2].min(0), boxes[group, 2:].max(0)])

    def meet(one, other):
        pairs = (
            [(hull(one), hull(other))]
            if hulls
            else [(boxes[a], boxes[b]) for a in one for b in other]
        )
        return any((a[:2] < b[2:]).all() and (b[:2] < a[2:]).all() for a, b in pairs)

    merged = True
    while merged:
        merged = False
        for n, one in enumerate(groups):
            partner = next((m for m in range(n + 1, len(groups)) if meet(one, groups[m])), None)
            if partner is not None:
                groups[n] = one + groups.pop(partner)
                merged = True
                break
    label = np.empty(len(corners), int)
    for n, group in enumerate(groups):
        label[group] = n
    return label


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    return np.array_equal(one[:, None] == one, other[:, None] == other)


@pytest.mark.parametrize("hulls", [False, True])
@pytest.mark.parametrize("pairs", [7, 4_000_000])
def test_groups_are_those_of_a_loop(hulls, pairs, monkeypatch):
    monkeypatch.setattr(module, "PAIRS", pairs)
    rng = np.random.default_rng(0)
    for _ in range(5):
        low = rng.integers(0, 60, (40, 2)).astype(float)
        corners = np.hstack([low, low + rng.integers(1, 9, (40, 2))])
        found = clusters(corners, hulls=hulls)
        assert alike(found, slow(corners, hulls=hulls)) and 3 < len(np.unique(found)) < 40


def test_boxes_that_only_touch_are_apart():
    assert len(set(clusters(np.array([[0.0, 0, 5, 5], [5, 0, 9, 5], [4, 4, 6, 6]])))) == 1
    assert len(set(clusters(np.array([[0.0, 0, 5, 5], [5, 0, 9, 5]])))) == 2
    assert clusters(np.zeros((0, 4))).shape == (0,)
