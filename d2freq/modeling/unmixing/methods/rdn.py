"""RDN: residual dense blocks on the pixels, all of them fused (Zhang et al. 2018).

Shapes as in base.py; here N = B * F frames, values in intensities of a target.
"""

from typing import Any

import torch
from detectron2.config import configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor, nn

from d2freq.modeling.registration import register
from d2freq.modeling.unmixing.blocks import ResidualDenseBlock, upsampler
from d2freq.modeling.unmixing.methods.config import arguments_of
from d2freq.modeling.unmixing.single_frame import ScaledModel

__all__ = ["RDN"]


@register(META_ARCH_REGISTRY)
class RDN(ScaledModel):
    """16 blocks of 8 layers and 64 channels; 22,305,729 parameters.

    The published network (49.61 CSO-mAP) is sound, and is this one but for the unit of its frames:
    57 times the weights of EDSR for frames of 11 x 11 pixels, 0.6 points below it. RDN(blocks=4,
    layers=4, channels=32) has 0.5 M.
    """

    needs_q_init = False

    @configurable
    def __init__(
        self, *, blocks: int = 16, layers: int = 8, channels: int = 64, **optics: Any
    ) -> None:
        """See MODEL.RDN in keys/super_resolution.py.

        Args:
            blocks: residual dense blocks.
            layers: convolutions of a block.
            channels: of all maps, and of what a layer adds.
            **optics: of :class:`UnmixingModel`.
        """
        super().__init__(**optics)
        self.first = nn.Conv2d(1, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.blocks = nn.ModuleList(ResidualDenseBlock(channels, layers) for _ in range(blocks))
        self.fuse = nn.Sequential(
            nn.Conv2d(blocks * channels, channels, 1), nn.Conv2d(channels, channels, 3, padding=1)
        )
        self.enlarge = upsampler(channels, self.factor)
        self.last = nn.Conv2d(channels, 1, 3, padding=1)

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """MODEL.RDN and MODEL.UNMIXING."""
        return {**super().from_config(cfg), **arguments_of(cfg, "RDN")}

    def unmix(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) -> (N, 1, g, g)."""
        first = self.first(frames)
        maps = [self.second(first)]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return self.last(self.enlarge(first + self.fuse(torch.cat(maps[1:], dim=1))))
