"""How well targets can be known under noise, by what is known besides a frame.

Shape shorthand: N trajectories of T frames with K targets each, W frames of a window, P numbers
that its frames share.

The bound of Cramer and Rao, with what is known before (the range of intensities) added as van Trees
does. It is exact where errors are small beside the distance of the targets, and no ceiling where
they are not: from three targets in one frame on the likelihood curves, and an estimate that knows
the number of targets does better than the bound says. See d2freq.ops.fisher.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from d2freq.errors import UserError
from d2freq.ops.fisher import (
    MOTIONS,
    censored_share,
    covariance,
    joint_information,
    shared_design,
    target_information,
)
from d2freq.ops.psf import render
from d2freq.utils.choices import choice

__all__ = ["ALL_FRAMES", "Knowledge", "bound_covariances"]

ALL_FRAMES = 0  # in the place of a window's length: the whole trajectory
SHORT = 8  # frames up to which a path is a parabola; SeqCSIST moves by 0.04 pixels a frame
EXACT = 1e-6  # grey levels in the place of no noise


@dataclass(frozen=True, kw_only=True)
class Knowledge:
    """What an estimate may know.

    Attributes:
        frames: of a window, odd; ALL_FRAMES is the whole trajectory.
        motion: how the rigid group moves within the window, see ops.fisher.shared_design. Not read
            with one frame.
        degree: of a smooth motion; 0: 2 up to 8 frames, 3 beyond.
        intensity: least and largest grey level of a target, evenly spread; () for unknown.
        flicker: intensities of their own in each frame.
        distance: least and largest distance of a target from the group's centre, in pixels, along
            directions that are known: SeqCSIST's targets lie on four axes. That is a rule of its
            generator and no physics; (), the default, knows nothing of it. One frame alone.
    """

    frames: int = 1
    motion: str = "smooth"
    degree: int = 0
    intensity: tuple[float, ...] = (220.0, 250.0)
    flicker: bool = False
    distance: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.frames < 0 or (self.frames != ALL_FRAMES and self.frames % 2 == 0):
            raise UserError(
                f"frames={self.frames}: a window has an odd number of frames, {ALL_FRAMES} stands "
                "for the whole trajectory"
            )
        choice(self.motion, MOTIONS, key="motion")
        for name in ("intensity", "distance"):
            values = getattr(self, name)
            if values and not (len(values) == 2 and 0 < values[0] < values[1]):
                raise UserError(f"{name}={values}: the least and the largest, or () for unknown")
        if self.distance and self.frames != 1:
            raise UserError(f"frames={self.frames} with a known distance: known axes take 1")


def bound_covariances(
    positions: Tensor,
    intensities: Tensor,
    *,
    noise: float,
    known: Knowledge,
    size: int = 11,
    sigma: float = 0.5,
    rounding: float = 0.0,
    saturation: float | None = None,
    plane: bool = True,
    directions: Tensor | None = None,
) -> Tensor:
    """Least covariance of the numbers of each frame: K rows, K columns, K intensities.

    A frame is seen in the middle of its window; at the ends of a trajectory the window is the first
    or the last one.

    Args:
        positions: (N, T, K, 2) in pixels, float64.
        intensities: (N, T, K) in grey levels, float64.
        noise: standard deviation of a pixel in grey levels.
        known: what the estimate may know.
        size: pixels a side.
        sigma: standard deviation of the spot in pixels.
        rounding: step of the numbers of a frame, 1 for uint8, which adds rounding^2 / 12 to the
            noise's variance; 0 for none.
        saturation: grey level at which the sensor cuts; None where it does not.
        plane: a plane as background, which nothing is known of.
        directions: (N, K, 2) of each target from the group's centre, for ``known.distance``.

    Returns:
        (N, T, 3K, 3K) float64.

    Raises:
        UserError: a window longer than the trajectories, or a distance without directions.
    """
    frames, targets = positions.shape[1:3]
    level = max((noise**2 + rounding**2 / 12) ** 0.5, EXACT)
    share = None
    if saturation is not None:
        clean = render(positions, intensities, size=size, sigma=sigma)
        share = censored_share(clean, saturation, level)
    optics = {"size": size, "sigma": sigma, "noise": level, "plane": plane}
    information = target_information(positions, intensities, share=share, **optics)
    if known.distance:
        design, before = _on_axes(known, directions, targets)
        inner = covariance(design.mT @ information @ design + before)
        return design @ inner @ design.mT
    window = known.frames or frames
    if window > frames:
        raise UserError(
            f"a window of {window} frames, trajectories of {frames}; take a shorter one"
        )
    degree = known.degree or (2 if window <= SHORT else 3)
    design = shared_design(
        window, targets, motion=known.motion, degree=degree, flicker=known.flicker, like=positions
    )
    first = (torch.arange(frames) - window // 2).clamp(0, frames - window)
    starts, owner = first.unique(return_inverse=True)
    joint = joint_information(information[:, starts[:, None] + torch.arange(window)], design)
    lights = targets * (window if known.flicker else 1)
    before = positions.new_zeros(design.shape[-1])
    before[-lights:] = _weight(known.intensity)
    inner = covariance(joint + before.diag())[:, owner]
    own = design[torch.arange(frames) - first]
    return own @ inner @ own.mT


def _weight(values: tuple[float, ...]) -> float:
    """1 / variance of an even spread; 0 of an unknown number."""
    return 12 / (values[1] - values[0]) ** 2 if values else 0.0


def _on_axes(known: Knowledge, directions: Tensor | None, targets: int) -> tuple[Tensor, Tensor]:
    """Centre (2), intensities (K) and distances (K) as the only unknowns of a frame.

    The design (N, 1, 3K, 2 + 2K), and what is known before (2 + 2K, 2 + 2K).
    """
    if directions is None:
        raise UserError("a known distance needs the directions of the targets")
    each = torch.arange(targets)
    design = directions.new_zeros(len(directions), 1, 3 * targets, 2 + 2 * targets)
    for axis in range(2):
        design[:, 0, axis * targets + each, axis] = 1
        design[:, 0, axis * targets + each, 2 + targets + each] = directions[..., axis]
    design[:, 0, 2 * targets + each, 2 + each] = 1
    before = directions.new_zeros(2 + 2 * targets)
    before[2 : 2 + targets] = _weight(known.intensity)
    before[2 + targets :] = _weight(known.distance)
    return design, before.diag()
