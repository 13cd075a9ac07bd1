"""The classes that histograms count in: hundredths of a score, and sizes of objects."""

import numpy as np

__all__ = ["SIZES", "score_marks", "score_steps", "size_steps"]

# sqrt(width x height) in pixels; 8, 16 and 32 are AI-TOD's borders
SIZES = (0.0, 4.0, 6.0, 8.0, 11.0, 16.0, 23.0, 32.0, 45.0, 64.0, 96.0, 128.0, 256.0)
STEPS = 100
FINE = 100  # a mark is a hundredth of a step
THRESHOLDS = np.arange(STEPS + 1) / STEPS  # divided as JavaScript divides


def score_steps(score: np.ndarray) -> np.ndarray:
    """The highest n with n/100 at most ``score`` (N,), int64 from 0 to 100; -1 below 0."""
    return np.searchsorted(THRESHOLDS, score, side="right") - 1


def score_marks(score: np.ndarray) -> np.ndarray:
    """Scores (N,) in ten thousandths, int64, on the right side of every n/100; -1 below 0."""
    step = score_steps(score)
    known = np.maximum(score, 0)  # -inf stands for never
    marks = np.clip(np.floor(known * STEPS * FINE).astype(np.int64), step * FINE, None)
    return np.where(step < 0, -1, np.minimum(marks, step * FINE + FINE - 1))


def size_steps(width: np.ndarray, height: np.ndarray) -> np.ndarray:
    """The class of SIZES of each box, (N,) int64."""
    size = np.sqrt(np.maximum(width, 0) * np.maximum(height, 0))
    return np.searchsorted(SIZES, size, side="right") - 1
