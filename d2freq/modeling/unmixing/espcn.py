"""ESPCN: convolutions at the frame's own size, a pixel shuffle at the end (Shi et al. 2016)."""

from typing import Any

from detectron2.config import configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.modeling.unmixing.single_frame import SingleFrameModel

__all__ = ["ESPCN"]

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh}


@META_ARCH_REGISTRY.register()
class ESPCN(SingleFrameModel):
    """Kernels 5, 3, 3 on the frame, then c x c channels become cells; 22,729 parameters."""

    needs_q_init = False

    @configurable
    def __init__(
        self, *, channels: tuple[int, int] = (64, 32), activation: str = "relu", **optics: Any
    ) -> None:
        """See MODEL.ESPCN in methods_config.py.

        Args:
            channels: behind the first and the second convolution.
            activation: "relu" or "tanh".
            **optics: of :class:`UnmixingModel`.

        Raises:
            UserError: another activation.
        """
        if activation not in ACTIVATIONS:
            raise UserError(
                f"MODEL.ESPCN.ACTIVATION {activation!r} is unknown; choose one of "
                f"{', '.join(ACTIVATIONS)}"
            )
        super().__init__(**optics)
        first, second = channels
        self.layers = nn.Sequential(
            nn.Conv2d(1, first, 5, padding=2),
            ACTIVATIONS[activation](),
            nn.Conv2d(first, second, 3, padding=1),
            ACTIVATIONS[activation](),
            nn.Conv2d(second, self.factor**2, 3, padding=1),
            nn.PixelShuffle(self.factor),
        )

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """MODEL.ESPCN and MODEL.UNMIXING."""
        keys = cfg.MODEL.ESPCN
        return {
            **super().from_config(cfg),
            "channels": tuple(keys.CHANNELS),
            "activation": keys.ACTIVATION,
        }

    def estimate(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) frames -> (N, 1, g, g) grids."""
        return self.layers(frames)
