"""The state of a fit of point targets to frames, and what is known before.

Shape shorthand: N fits, K slots for targets, of which a fit uses those that are ``active``.
Positions are (row, column) in pixels, intensities in grey levels; all floating tensors are float64.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import torch
from torch import Tensor

__all__ = ["Fit", "Prior"]

Own = TypeVar("Own", bound="Fit")


@dataclass(frozen=True)
class Prior:
    """What is known before the frame is looked at.

    Attributes:
        sigma: standard deviation of the spot in pixels.
        intensity: mean and standard deviation of a target's grey levels; None for unknown.
        reach: standard deviation of a target about its grid cell's centre, in pixels.
        floor: rounding of the frame in grey levels.
        saturation: pixels of exactly this value may be any brighter one; None for none.
    """

    sigma: float
    intensity: tuple[float, float] | None
    reach: float
    floor: float
    saturation: float | None


@dataclass(frozen=True)
class Fit:
    """Fitted targets, and how well they explain their frames.

    Attributes:
        positions: (N, K, 2).
        intensities: (N, K), 0 where not active.
        active: (N, K) bool.
        anchors: (N, K, 2), positions that the grid gave.
        anchored: (N, K) bool, False for targets that the grid did not give.
        objective: (N,), see levenberg_marquardt.py; twice the negative log likelihood but for a
            constant.
    """

    positions: Tensor
    intensities: Tensor
    active: Tensor
    anchors: Tensor
    anchored: Tensor
    objective: Tensor

    def __getitem__(self: Own, index: Tensor) -> Own:
        """Some of the fits, by a mask or indices."""
        return type(self)(*(getattr(self, field.name)[index] for field in fields(self)))

    def packed(self: Own) -> tuple[Own, int]:
        """Active slots first, and no more slots than any fit uses; how many those are."""
        used = max(int(self.active.sum(1).max()), 1) if len(self.active) else 1
        order = (~self.active).to(torch.uint8).argsort(dim=1, stable=True)[:, :used]
        return self.taken(order), used

    def taken(self: Own, order: Tensor) -> Own:
        """The slots (N, K) int64 of each fit, in this order."""
        pairs = order[..., None].expand(-1, -1, 2)
        return replace(
            self,
            positions=self.positions.gather(1, pairs),
            intensities=self.intensities.gather(1, order) * self.active.gather(1, order),
            active=self.active.gather(1, order),
            anchors=self.anchors.gather(1, pairs),
            anchored=self.anchored.gather(1, order),
        )

    def padded(self: Own, slots: int) -> Own:
        """With as many empty slots more."""
        pad = torch.nn.functional.pad
        wide, narrow = (0, 0, 0, slots), (0, slots)
        return replace(
            self,
            positions=pad(self.positions, wide),
            intensities=pad(self.intensities, narrow),
            active=pad(self.active, narrow),
            anchors=pad(self.anchors, wide),
            anchored=pad(self.anchored, narrow),
        )

    def put(self: Own, index: Tensor, other: Own) -> Own:
        """A copy in which ``other`` stands at these indices; slots must agree."""
        pairs = [(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)]
        return type(self)(*(mine.index_copy(0, index, theirs) for mine, theirs in pairs))

    @staticmethod
    def cat(parts: Sequence[Own]) -> Own:
        """Several batches as one."""
        kind = type(parts[0])
        return kind(*(torch.cat([getattr(p, f.name) for p in parts]) for f in fields(kind)))
