"""One trajectory of closely spaced targets by the rules of SeqCSIST (DeRefNet, section 3).

Shape shorthand: T frames, K targets. Coordinates are (row, column) in pixels as in d2freq.ops.psf;
the paper's x is the row, its f(x) the column.

A reference point without light moves along y = f(x); the targets keep their directions from it and
move outward a little. The authors never published their generator. What the paper leaves open is
our choice:

* x starts on a whole row that is not at the border, every such row equally likely.
* f is a line y0 + k (x - x0), a parabola y0 + k (x - x0) + a (x - x0)^2, or an arc of a circle,
  y = yc +- sqrt(R^2 - (x - xc)^2), with k, a and R uniform in their ranges and xc uniform where the
  arc stays below 4/3 in slope.
* y0 is uniform where the reference point keeps a pixel away from the outermost pixel centres.
* A target's intensity is a real number and stays the same in all frames, unless ``flicker``.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from d2freq.data.seqcsist.rules import STEEPEST, Rules

# up, down, left, right; then the diagonals, at twice the distance
DIRECTIONS = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)], np.float64)
DIAGONALS = 2 * np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)], np.float64) / 2**0.5

Curve = tuple[str, tuple[float, ...]]
"""Kind of a path and its numbers, see :class:`Trajectory`."""


@dataclass(frozen=True)
class Trajectory:
    """What one draw of the rules gives; all arrays float64.

    Attributes:
        curve: kind of the path, and its numbers: (x0, y0, k, a) of a line or parabola, (xc, yc, R,
            sign) of a circle.
        reference: (T, 2) the reference point.
        directions: (K, 2) from the reference point to each target, in units of the distance.
        positions: (T, K, 2) of the targets, in the order in which they are written into the grid.
        intensities: (T, K) in grey levels.
    """

    curve: Curve
    reference: np.ndarray
    directions: np.ndarray
    positions: np.ndarray
    intensities: np.ndarray


def generator(seed: int, split: str, index: int, what: str) -> np.random.Generator:
    """The random numbers of one trajectory for one purpose, which nothing else depends on.

    ``what`` keeps the purposes apart: a background changes no position.
    """
    return np.random.default_rng(
        [seed, zlib.crc32(split.encode()), index, zlib.crc32(what.encode())]
    )


def draw_trajectory(rules: Rules, split: str, index: int) -> Trajectory:
    """Trajectory number ``index`` of ``split``; it depends on these and the rules alone.

    Examples:
        >>> from d2freq.data.seqcsist.rules import Rules
        >>> from d2freq.data.seqcsist.trajectories import draw_trajectory
        >>> trajectory = draw_trajectory(Rules(targets=(3, 3)), "train", 0)
        >>> trajectory.positions.shape, trajectory.intensities.shape
        ((20, 3, 2), (20, 3))
    """
    rng = generator(rules.seed, split, index, "trajectory")
    x0 = int(rng.integers(1, rules.size - 1))
    sign = 1 if x0 < (rules.size - 1) / 2 else -1
    x = x0 + sign * rules.step * np.arange(rules.frames)
    curve, y = _path(rules, rng, x)
    reference = np.stack([x, y], 1)
    count = int(rng.integers(rules.targets[0], rules.targets[1] + 1))
    inner = rng.permutation(DIRECTIONS)[:count]
    directions = np.concatenate([inner, rng.permutation(DIAGONALS)[: count - len(inner)]])
    moves = rng.uniform(0, rules.drift, (rules.frames, count))
    moves[0] = 0
    outward = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    positions = reference[:, None] + rules.distance * directions
    positions = positions + outward * np.cumsum(moves, 0)[..., None]
    draws = rules.frames if rules.flicker else 1
    intensities = rng.uniform(*rules.intensity, (draws, count))
    intensities = np.repeat(intensities, rules.frames // draws, 0)
    return Trajectory(curve, reference, directions, positions, intensities)


def curve_column(curve: Curve, x: np.ndarray) -> np.ndarray:
    """Column y = f(x) of a path at rows ``x``, see :class:`Trajectory`."""
    kind, (a, b, c, d) = curve
    if kind == "circle":
        return b + d * np.sqrt(c**2 - (x - a) ** 2)
    return b + c * (x - a) + d * (x - a) ** 2


def _path(rules: Rules, rng: np.random.Generator, x: np.ndarray) -> tuple[Curve, np.ndarray]:
    """A curve and its columns at the rows ``x``, (T,), inside the frame."""
    kind = rules.curves[int(rng.integers(len(rules.curves)))]
    if kind == "circle":
        radius = rng.uniform(*rules.radius)
        middle = rng.uniform(x.max() - STEEPEST * radius, x.min() + STEEPEST * radius)
        numbers = [middle, 0.0, radius, float(rng.choice((-1, 1)))]
    else:
        slope = rng.uniform(-rules.slope, rules.slope)
        bend = rng.uniform(-rules.curvature, rules.curvature) if kind == "parabola" else 0.0
        numbers = [x[0], 0.0, slope, bend]
    shape = curve_column((kind, tuple(numbers)), x)
    numbers[1] = rng.uniform(1 - shape.min(), rules.size - 2 - shape.max())
    curve = (kind, tuple(float(number) for number in numbers))
    return curve, curve_column(curve, x)
