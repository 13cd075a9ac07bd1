"""EDSR: a deep residual network without norms, enlarged at its end (Lim et al. 2017)."""

from typing import Any

from detectron2.config import configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor, nn

from d2freq.modeling.unmixing.blocks import residual_blocks, upsampler
from d2freq.modeling.unmixing.single_frame import SingleFrameModel

__all__ = ["EDSR"]

WHITE = 255.0  # grey levels; the network works in shares of it, as the published one


@META_ARCH_REGISTRY.register()
class EDSR(SingleFrameModel):
    """16 residual blocks of 32 channels within one more skip connection; 389,025 parameters."""

    needs_q_init = False

    @configurable
    def __init__(self, *, blocks: int = 16, channels: int = 32, **optics: Any) -> None:
        """See MODEL.EDSR in methods_config.py.

        Args:
            blocks: residual blocks.
            channels: of every layer but the last.
            **optics: of :class:`UnmixingModel`.
        """
        super().__init__(**optics)
        self.first = nn.Conv2d(1, channels, 3, padding=1)
        self.body = residual_blocks(channels, blocks)
        self.body.append(nn.Conv2d(channels, channels, 3, padding=1))
        self.enlarge = upsampler(channels, self.factor)
        self.last = nn.Conv2d(channels, 1, 3, padding=1)

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """MODEL.EDSR and MODEL.UNMIXING."""
        keys = cfg.MODEL.EDSR
        return {**super().from_config(cfg), "blocks": keys.BLOCKS, "channels": keys.CHANNELS}

    def estimate(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) frames -> (N, 1, g, g) grids, in grey levels."""
        features = self.first(frames / WHITE)
        return self.last(self.enlarge(features + self.body(features))) * WHITE
