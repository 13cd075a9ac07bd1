"""What a joint fit of several frames consists of.

Shape shorthand: N fits, W frames of each, K slots for targets, D numbers of the motion an axis.

Frame t sees target k at

    x_k(t) = d_k + e u_t (d_k - mean of the d) + sum over j of P_j(u_t) v_j

with u_t from -1 at the first frame to 1 at the last, and P_j Legendre's polynomials from the first
on. So the d_k are where the targets are at u = 0, all of them move alike (v), and the group widens
by the share e until the end of the frames.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from d2freq.modeling.unmixing.decoding.state import Fit, Prior

__all__ = ["JointFit", "Knowledge", "legendre", "motion_degree"]

WIDENING = 0.005  # of a group in a frame, as a share of its size: SeqCSIST has 0 to 0.0047


@dataclass(frozen=True)
class Knowledge:
    """What is known of a window before it is looked at.

    Attributes:
        prior: of one frame.
        basis: (W, D) float64, P_1 to P_D at each frame.
        times: (W,) float64, u, from -1 to 1.
        flicker: intensities are free in each frame; else they are constant.
    """

    prior: Prior
    basis: Tensor
    times: Tensor
    flicker: bool

    @staticmethod
    def of(
        prior: Prior, frames: int, *, degree: int | None, flicker: bool, device: torch.device
    ) -> "Knowledge":
        """Of a window of so many frames; ``degree`` None: see :func:`motion_degree`."""
        times = torch.zeros(1, dtype=torch.float64)
        if frames > 1:
            times = torch.linspace(-1, 1, frames, dtype=torch.float64)
        basis = legendre(times, motion_degree(frames) if degree is None else degree)
        return Knowledge(prior, basis.to(device), times.to(device), flicker)

    @cached_property
    def widening(self) -> float:
        """Standard deviation of e."""
        return max(WIDENING * (len(self.times) - 1) / 2, 1e-6)


@dataclass(frozen=True)
class JointFit(Fit):
    """Fits of N windows; ``positions`` (N, K, 2) are the d_k, ``intensities`` (N, K) the means.

    Attributes:
        motion: (N, D, 2), the v_j in pixels.
        expansion: (N,), e.
        levels: (N, W, K), intensities in each frame.
    """

    motion: Tensor
    expansion: Tensor
    levels: Tensor

    @staticmethod
    def of(shape: Fit, motion: Tensor, frames: int) -> "JointFit":
        """With constant intensities and without expansion."""
        parts = (shape.positions, shape.intensities, shape.active, shape.anchors, shape.anchored)
        levels = shape.intensities[:, None].expand(-1, frames, -1).clone()
        return JointFit(*parts, shape.objective, motion, motion.new_zeros(len(motion)), levels)

    def taken(self, order: Tensor) -> "JointFit":
        """The slots (N, K) int64 of each fit, in this order."""
        there = self.active.gather(1, order)[:, None]
        levels = self.levels.gather(2, order[:, None].expand(-1, self.levels.shape[1], -1))
        return replace(super().taken(order), levels=levels * there)

    def padded(self, slots: int) -> "JointFit":
        """With as many empty slots more."""
        levels = torch.nn.functional.pad(self.levels, (0, slots))
        return replace(super().padded(slots), levels=levels)

    def steady(self) -> "JointFit":
        """With the intensities (N, K) in all frames."""
        return replace(self, levels=self.intensities[:, None].expand_as(self.levels).clone())

    def offsets(self) -> Tensor:
        """(N, K, 2): d_k less the mean of the active ones."""
        use = self.active[..., None].to(self.positions)
        mean = (self.positions * use).sum(1, keepdim=True) / use.sum(1, keepdim=True).clamp(min=1)
        return (self.positions - mean) * use

    def places(self, knowledge: Knowledge) -> Tensor:
        """Positions in each frame, (N, W, K, 2)."""
        path = knowledge.basis @ self.motion
        wider = self.expansion[:, None] * knowledge.times
        spread = wider[..., None, None] * self.offsets()[:, None]
        return self.positions[:, None] + path[:, :, None] + spread

    def single(self, knowledge: Knowledge) -> Fit:
        """As N * W fits of a frame each, which share their objective."""
        frames = len(knowledge.times)
        places = self.places(knowledge).flatten(0, 1)
        active = self.active.repeat_interleave(frames, 0)
        none = torch.zeros_like(active)
        objective = self.objective.repeat_interleave(frames, 0)
        return Fit(places, self.levels.flatten(0, 1), active, places, none, objective)

    def single_frame(self, places: Tensor, frame: Tensor) -> Fit:
        """As fits of one frame each, number ``frame`` (N,), in which targets are at ``places``."""
        row = torch.arange(len(frame), device=frame.device)
        levels = self.levels[row, frame]
        none = torch.zeros_like(self.active)
        return Fit(places, levels, self.active, places, none, self.objective)


def motion_degree(frames: int) -> int:
    """1 for three frames, 2 up to nine, 3 from ten on: what a smooth path needs, and no more."""
    return 0 if frames < 2 else 1 if frames < 4 else 2 if frames < 10 else 3


def legendre(times: Tensor, degree: int) -> Tensor:
    """Legendre's polynomials P_1 to P_degree at (W,) places of -1 to 1, (W, degree)."""
    values = [torch.ones_like(times), times]
    for n in range(1, degree):
        values.append(((2 * n + 1) * times * values[-1] - n * values[-2]) / (n + 1))
    return torch.stack([torch.zeros_like(times), *values[1 : degree + 1]], 1)[:, 1:]
