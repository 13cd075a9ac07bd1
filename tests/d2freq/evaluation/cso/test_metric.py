"""CSO-mAP against both published examples, a count written down naively, and the oracles."""

import numpy as np
import pytest

from d2freq.errors import UserError
from d2freq.evaluation.coco.guard import DetectionError
from d2freq.evaluation.cso.metric import THRESHOLDS, cso_map, grid_detections


def arrays(frames):
    return [np.array(frame, float) for frame in frames]


def naive(detections, truth, threshold):
    """AP detection by detection, as the rules are told; equal scores as cso_map says."""
    pooled = []
    for number, (found, targets) in enumerate(zip(detections, truth, strict=True)):
        taken = [False] * len(targets)
        for place in sorted(range(len(found)), key=lambda i, f=found: (-f[i][2], i)):
            row, column, score = found[place]
            hit = False
            if len(targets):
                lengths = [((row - x) ** 2 + (column - y) ** 2) ** 0.5 for x, y in targets]
                nearest = lengths.index(min(lengths))
                hit = lengths[nearest] <= threshold and not taken[nearest]
                if hit:
                    taken[nearest] = True
            pooled.append((-score, number, place, hit))
    targets = sum(map(len, truth))
    recall, precision, hits = [0.0], [0.0], 0
    for judged, (*_, hit) in enumerate(sorted(pooled), start=1):
        hits += hit
        recall.append(hits / targets)
        precision.append(hits / judged)
    recall, precision = [*recall, 1.0], [*precision, 0.0]
    for place in range(len(precision) - 2, -1, -1):
        precision[place] = max(precision[place], precision[place + 1])
    steps = zip(recall[1:], recall, precision[1:], strict=False)
    return sum((after - before) * height for after, before, height in steps)


def test_worked_example_from_grids():
    first, second = np.full((33, 33), 30.0), np.zeros((33, 33))
    first[16, 16], first[17, 17], first[16, 18] = 200, 180, 90
    second[7, 22] = 210
    detections = [grid_detections(grid) for grid in (first, second)]
    assert np.allclose(detections[0], [[5, 5, 200], [5, 17 / 3, 90], [16 / 3, 16 / 3, 180]])
    result = cso_map(detections, arrays([[(5, 5), (5.3, 5.3)], [(2.1, 7.05)]]))
    assert list(result) == ["CSO-mAP", "AP05", "AP10", "AP15", "AP20", "AP25"]
    assert np.allclose(list(result.values()), [7 / 9, 4 / 9, 4 / 9, 1, 1, 1], atol=1e-12)


def test_published_example_with_its_ties():
    """Counted by hand, equal scores frame after frame; .236667 in all.

    Within 0.05 px the hits stand at places 3, 5 and 8 of ten, within 0.15 at 1, 3, 5 and 8.
    """
    detections = arrays(
        [
            [(2.3, 0, 120), (1, 1.3, 130), (2.1, 2.1, 136), (0, 2, 100)],
            [(2.5, 0.1, 115), (1.3, 1.3, 120), (2.3, 2.3, 136)],
            [(2, 0, 120), (1, 1, 130), (2, 2, 136)],
        ]
    )
    result = cso_map(detections, arrays([[(2, 0), (1, 1), (2, 2)]] * 3))
    near, far = (2 / 5 + 2 / 5 + 3 / 8) / 9, (1 + 2 / 3 + 3 / 5 + 4 / 8) / 9
    expected = [(2 * near + 3 * far) / 5, near, near, far, far, far]
    assert np.allclose(list(result.values()), expected, atol=1e-12)
    assert result["CSO-mAP"] == pytest.approx(0.236667, abs=5e-7)


def test_500_random_cases_equal_the_naive_count():
    rng = np.random.default_rng(0)
    for _ in range(500):
        truth, detections = [], []
        for _ in range(rng.integers(1, 5)):
            targets = rng.uniform(0, 1.2, (rng.integers(0, 5), 2))
            near = np.repeat(targets, rng.integers(0, 3), axis=0)
            near = near + rng.normal(0, 0.12, near.shape)
            places = np.concatenate([near, rng.uniform(0, 1.2, (rng.integers(0, 4), 2))])
            score = rng.integers(70, 76, (len(places), 1)).astype(float)  # many are equal
            detections.append(np.concatenate([places, score], axis=1))
            truth.append(targets)
        if not any(map(len, truth)):
            truth[0] = np.array([[0.5, 0.5]])
        result = cso_map(detections, truth)
        values = [naive(detections, truth, threshold) for threshold in THRESHOLDS]
        assert np.allclose(list(result.values()), [np.mean(values), *values], atol=1e-12)


def test_a_detection_beside_a_taken_target_does_not_go_to_the_second_nearest():
    detections = arrays([[(5, 5, 200), (5, 5.08, 190)]])
    truth = arrays([[(5, 5), (5, 5.2)]])  # the second lies 0.12 from a target that is free
    assert cso_map(detections, truth)["AP15"] == 0.5


def test_exact_positions_are_all():
    rng = np.random.default_rng(1)
    truth = [rng.uniform(1, 9, (k, 2)) for k in (2, 3, 4)]
    detections = [np.concatenate([t, rng.uniform(220, 250, (len(t), 1))], 1) for t in truth]
    assert set(cso_map(detections, truth).values()) == {1.0}


def test_empty_predictions_are_zero_and_no_target_is_nan():
    truth = arrays([[(5, 5)], [(4, 4), (6, 6)]])
    assert set(cso_map([np.zeros((0, 3)), []], truth).values()) == {0.0}
    assert np.isnan(cso_map([np.array([[1.0, 1, 99]])], [[]])["CSO-mAP"])


def test_bad_input_is_named():
    truth = arrays([[(5, 5)]])
    with pytest.raises(UserError, match="2 frames of detections for 1"):
        cso_map([[], []], truth)
    with pytest.raises(UserError, match=r"frame 0 has shape \(1, 2\)"):
        cso_map(arrays([[(5, 5)]]), truth)
    with pytest.raises(DetectionError, match="frame 0"):
        cso_map(arrays([[(5, np.nan, 90)]]), truth)
    with pytest.raises(UserError, match=r"differ by 0\.01"):
        cso_map([[]], truth, thresholds=(0.05, 0.051))
    with pytest.raises(DetectionError, match="diverged"):
        grid_detections(np.full((33, 33), np.inf))


def test_a_threshold_of_zero_leaves_empty_cells_empty():
    grid = np.zeros((33, 33))
    grid[4, 5] = 3.0
    assert grid_detections(grid, threshold=0.0).tolist() == [[1.0, 4 / 3, 3.0]]
