"""Networks of super-resolution, trained on grids in place of images: ESPCN, EDSR, SRCNN.

ESPCN (Shi et al. 2016) works at the frame's own size and shuffles pixels at the end; EDSR (Lim et
al. 2017) is a deep residual network without norms, enlarged at its end; SRCNN (Dong et al. 2015)
sharpens a blurred start with three convolutions.
"""

from typing import Any

import torch
from detectron2.config import configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor, nn

from d2freq.modeling.registration import register
from d2freq.modeling.unmixing.blocks import residual_blocks, upsampler
from d2freq.modeling.unmixing.methods.config import keys_of
from d2freq.modeling.unmixing.single_frame import SingleFrameModel
from d2freq.utils.choices import choice

__all__ = ["EDSR", "ESPCN", "SRCNN"]


ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh}


@register(META_ARCH_REGISTRY)
class ESPCN(SingleFrameModel):
    """Kernels 5, 3, 3 on the frame, then c x c channels become cells; 22,729 parameters."""

    needs_q_init = False

    @configurable
    def __init__(
        self, *, channels: tuple[int, int] = (64, 32), activation: str = "relu", **optics: Any
    ) -> None:
        """See MODEL.ESPCN in config.py.

        Args:
            channels: behind the first and the second convolution.
            activation: "relu" or "tanh".
            **optics: of :class:`UnmixingModel`.

        Raises:
            UserError: another activation.
        """
        choice(activation, ACTIVATIONS, key="MODEL.ESPCN.ACTIVATION")
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
        keys = keys_of(cfg, "ESPCN")
        return {
            **super().from_config(cfg),
            "channels": tuple(keys.CHANNELS),
            "activation": keys.ACTIVATION,
        }

    def estimate(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) frames -> (N, 1, g, g) grids."""
        return self.layers(frames)


SCALE = 255.0  # of the published code, which takes frames for shares of white; they are grey levels


@register(META_ARCH_REGISTRY)
class EDSR(SingleFrameModel):
    """16 residual blocks of 32 channels within one more skip connection; 389,025 parameters.

    Frames enter times 255 and grids leave divided by it, as published. Biases apart it is the same
    without; beside numbers up to 1e5 they weigh next to nothing at the start.
    """

    needs_q_init = False

    @configurable
    def __init__(self, *, blocks: int = 16, channels: int = 32, **optics: Any) -> None:
        """See MODEL.EDSR in config.py.

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
        keys = keys_of(cfg, "EDSR")
        return {**super().from_config(cfg), "blocks": keys.BLOCKS, "channels": keys.CHANNELS}

    def estimate(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) frames -> (N, 1, g, g) grids, float32 also inside autocast."""
        with torch.autocast(frames.device.type, enabled=False):  # 1e5 is too much for 16 bits
            features = self.first(frames.float() * SCALE)
            return self.last(self.enlarge(features + self.body(features))) / SCALE


@register(META_ARCH_REGISTRY)
class SRCNN(SingleFrameModel):
    """Kernels 9, 5, 5 on Q_init's estimate, in place of an enlarged image; 15,841 parameters.

    The published configuration compares all 20 frames of a trajectory and trains for twice as
    long as the other methods; here it sees the same frames and steps as they do.
    """

    @configurable
    def __init__(self, *, channels: tuple[int, int] = (32, 16), **optics: Any) -> None:
        """See MODEL.SRCNN in config.py.

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
        return {**super().from_config(cfg), "channels": tuple(keys_of(cfg, "SRCNN").CHANNELS)}

    def estimate(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) frames -> (N, 1, g, g) grids."""
        return self.layers(self.initial(frames))
