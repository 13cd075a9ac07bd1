"""DBPN: features go up to the grid and down again, each corrected by its way back (Haris 2018).

Shapes as in base.py; here N = B * F frames, C channels, values in intensities of a target.
"""

from typing import Any

from detectron2.config import configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor, nn

from d2freq.modeling.registration import register
from d2freq.modeling.unmixing.blocks import RESIDUAL_SCALE, enlarging, narrowed, reducing
from d2freq.modeling.unmixing.methods.config import arguments_of
from d2freq.modeling.unmixing.single_frame import ScaledModel

__all__ = ["DBPN"]


@register(META_ARCH_REGISTRY)
class DBPN(ScaledModel):
    """Six pairs of projections and one more upward; 1,963,594 parameters.

    The published chain (50.40 CSO-mAP) is sound, and is this one but for the unit of its frames. It
    lacks the dense connections of the original, where every unit sees the maps of all before it.
    """

    needs_q_init = False

    @configurable
    def __init__(
        self, *, channels: int = 32, first_channels: int = 128, pairs: int = 6, **optics: Any
    ) -> None:
        """See MODEL.DBPN in keys/super_resolution.py.

        Args:
            channels: of the projections.
            first_channels: behind the first convolution.
            pairs: of an upward and a downward projection.
            **optics: of :class:`UnmixingModel`.
        """
        super().__init__(**optics)
        self.first = narrowed(first_channels, channels)
        ups = [True, False] * pairs + [True]
        self.projections = nn.Sequential(*(_Projection(channels, self.factor, up) for up in ups))
        self.last = nn.Conv2d(channels, 1, 1)
        self.last.weight.data.mul_(RESIDUAL_SCALE)  # a grid that is dark but for a little

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """MODEL.DBPN and MODEL.UNMIXING."""
        return {**super().from_config(cfg), **arguments_of(cfg, "DBPN")}

    def unmix(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) -> (N, 1, g, g)."""
        return self.last(self.projections(self.first(frames)))


class _Projection(nn.Module):
    """There, back, and there again with what the way back has missed; 150,627 parameters.

    Upward (N, C, m, m) -> (N, C, g, g), downward the other way round.
    """

    def __init__(self, channels: int, factor: int, up: bool) -> None:
        super().__init__()
        there, back = (enlarging, reducing) if up else (reducing, enlarging)
        self.there = there(channels, factor)
        self.back = back(channels, factor)
        self.correct = there(channels, factor)
        for parameter in self.correct[0].parameters():
            parameter.data.mul_(RESIDUAL_SCALE)

    def forward(self, x: Tensor) -> Tensor:
        moved = self.there(x)
        return moved + self.correct(self.back(moved) - x)
