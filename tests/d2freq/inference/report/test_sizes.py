"""Steps and marks of scores lie on the right side of every threshold."""

import numpy as np

from d2freq.inference.report.sizes import SIZES, score_marks, score_steps, size_steps


def test_a_score_at_a_threshold_reaches_it():
    thresholds = np.arange(101) / 100  # 0.29 * 100 is 28.999...
    assert score_steps(thresholds).tolist() == list(range(101))
    assert (score_marks(thresholds) >= 100 * np.arange(101)).all()
    below = np.nextafter(thresholds[1:], 0)
    assert score_steps(below).tolist() == list(range(100))
    assert (score_marks(below) < 100 * np.arange(1, 101)).all()


def test_marks_are_scores():
    score = np.random.default_rng(0).random(1000)
    assert np.abs(score_marks(score) / 1e4 - score).max() < 2e-4
    assert score_marks(np.array([-np.inf, 0.0])).tolist() == [-1, 0]


def test_sizes_begin_with_their_border():
    sides = np.array(SIZES)
    assert size_steps(sides, sides).tolist() == list(range(len(SIZES)))
    assert size_steps(np.array([4.0, 1e5]), np.array([16.0, 1e5])).tolist() == [3, len(SIZES) - 1]
