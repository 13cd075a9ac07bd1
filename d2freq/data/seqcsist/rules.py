"""What a trajectory of SeqCSIST may look like: every number a parameter, checked when it is set."""

from dataclasses import asdict, dataclass

from d2freq.errors import UserError
from d2freq.utils.choices import choice
from d2freq.utils.numbers import in_range, pair_in_range

CURVES = ("line", "parabola", "circle")
STEEPEST = 0.8  # a circle is used where |x - its centre| is below this share of its radius
MAX_TARGETS = 8
# least and largest of each number, and what it is; beyond them numbers overflow or memory ends
RANGES: dict[str, tuple[float, float, str]] = {
    "size": (5, 256, "pixels a side of a frame"),
    "frames": (1, 10_000, "frames of a trajectory"),
    "sigma": (0.1, 10, "pixels, standard deviation of a spot"),
    "distance": (0.001, 1.5, "pixels to the reference point"),
    "step": (0, 256, "pixels a frame"),
    "drift": (0, 1.5, "pixels a frame"),
    "slope": (0, 1e6, "steepest line"),
    "curvature": (0, 1e6, "most curved parabola"),
    "seed": (0, 2**63 - 1, "a whole number"),
}
PAIRS: dict[str, tuple[float, float, str]] = {
    "targets": (1, MAX_TARGETS, "fewest and most targets"),
    "intensity": (1e-6, 1e9, "grey levels of a target"),
    "radius": (0.001, 1e6, "pixels of a circle's radius"),
}


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Rules of the paper (DeRefNet, section 3), and ours where it is silent (marked "ours").

    Attributes:
        size: pixels a side, m.
        frames: frames of a trajectory, T.
        sigma: standard deviation of the optics in pixels.
        targets: fewest and most targets of a trajectory, each number equally likely.
        distance: pixels from the reference point to each target in the first frame. The first four
            targets lie up, down, left and right of it in random order; further ones, up to eight,
            on the diagonals at twice the distance (ours), which keeps all of them at least as far
            apart as the paper's sqrt(2) * distance.
        step: pixels that the reference point moves along the rows from frame to frame.
        drift: most pixels that a target moves outward from frame to frame, uniform from 0.
        intensity: least and largest intensity of a target in grey levels, uniform; as a real
            number (ours).
        flicker: draw intensities for each frame anew; otherwise they stay (ours).
        curves: kinds of the path y = f(x), equally likely.
        slope: steepest line, and parabola at its first point: dy/dx in [-slope, slope] (ours).
        curvature: largest coefficient of the square in a parabola, 1 / pixel (ours).
        radius: least and largest radius of a circle in pixels (ours).
        seed: of everything.
    """

    size: int = 11
    frames: int = 20
    sigma: float = 0.5
    targets: tuple[int, int] = (2, 4)
    distance: float = 0.3
    step: float = 0.04
    drift: float = 0.0014
    intensity: tuple[float, float] = (220.0, 250.0)
    flicker: bool = False
    curves: tuple[str, ...] = CURVES
    slope: float = 1.0
    curvature: float = 1.0
    radius: tuple[float, float] = (2.0, 8.0)
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self)

    @property
    def travel(self) -> float:
        """Pixels that the reference point covers along the rows."""
        return (self.frames - 1) * self.step

    def as_dict(self) -> dict:
        """All of them, for the file that they made."""
        return asdict(self)


def _check(rules: Rules) -> None:
    """Raise UserError for rules that contradict each other, or lead out of the frame."""
    _check_ranges(rules)
    room = rules.size - 3  # the reference point stays in [1, size - 2], on both axes
    longest = (rules.size - 2) - ((rules.size - 1) // 2 - 1)
    reach = max(rules.distance, 2 * rules.distance * (rules.targets[1] > 4) / 2**0.5)
    reach += (rules.frames - 1) * rules.drift
    spans = {
        "line": rules.slope * rules.travel,
        "parabola": (rules.slope + rules.curvature * rules.travel) * rules.travel,
        "circle": STEEPEST / (1 - STEEPEST**2) ** 0.5 * rules.travel,
    }
    if rules.travel > min(longest, room):
        raise UserError(
            f"frames={rules.frames} at step={rules.step} cover {rules.travel:g} pixels, which "
            f"leads out of frames of {rules.size} pixels; take fewer frames or a smaller step"
        )
    for curve in rules.curves:
        if spans[curve] > room:
            raise UserError(
                f"a {curve} may climb {spans[curve]:.2f} pixels in {rules.frames} frames, frames "
                f"of {rules.size} pixels leave room for {room}; lower slope, curvature or step"
            )
    if reach > 1.5:
        raise UserError(
            f"distance={rules.distance} and drift={rules.drift} bring targets {reach:.2f} pixels "
            "from the reference point, which may be 1.5 from the border of the frame; lower them"
        )
    if "circle" in rules.curves and rules.travel > 2 * STEEPEST * rules.radius[0]:
        raise UserError(
            f"radius={rules.radius}: a circle is too small for {rules.travel:g} pixels of travel; "
            f"take at least {rules.travel / 2 / STEEPEST:.2f}"
        )


def _check_ranges(rules: Rules) -> None:
    for name, (low, high, what) in RANGES.items():
        in_range(getattr(rules, name), low, high, key=f"--{name}", what=what)
    for name, (low, high, what) in PAIRS.items():
        pair_in_range(getattr(rules, name), low, high, key=f"--{name}", what=what)
    if not rules.curves:
        raise UserError(f"curves={rules.curves}: choose among {', '.join(CURVES)}")
    for curve in rules.curves:
        choice(curve, CURVES, key="curves")
