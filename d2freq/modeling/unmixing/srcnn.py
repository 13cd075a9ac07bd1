"""SRCNN: three convolutions that sharpen a blurred start (Dong et al. 2015)."""

from typing import Any

from detectron2.config import configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor, nn

from d2freq.modeling.unmixing.single_frame import SingleFrameModel

__all__ = ["SRCNN"]


@META_ARCH_REGISTRY.register()
class SRCNN(SingleFrameModel):
    """Kernels 9, 5, 5 on Q_init's estimate, in place of an enlarged image; 15,841 parameters.

    The published configuration compares all 20 frames of a trajectory and trains for twice as
    long as the other methods; here it sees the same frames and steps as they do.
    """

    @configurable
    def __init__(self, *, channels: tuple[int, int] = (32, 16), **optics: Any) -> None:
        """See MODEL.SRCNN in methods_config.py.

        Args:
            channels: behind the first and the second convolution.
            **optics: of :class:`UnmixingModel`.
        """
        super().__init__(**optics)
        first, second = channels
        self.layers = nn.Sequential(
            nn.Conv2d(1, first, 9, padding=4),
            nn.ReLU(),
            nn.Conv2d(first, second, 5, padding=2),
            nn.ReLU(),
            nn.Conv2d(second, 1, 5, padding=2),
        )

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """MODEL.SRCNN and MODEL.UNMIXING."""
        return {**super().from_config(cfg), "channels": tuple(cfg.MODEL.SRCNN.CHANNELS)}

    def estimate(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) frames -> (N, 1, g, g) grids."""
        return self.layers(self.initial(frames))
