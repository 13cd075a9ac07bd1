"""GMFN: several passes, each fed with the features of the one before (Li et al. 2019).

Shapes as in base.py; here N = B * F frames, C channels, values in intensities of a target.
"""

from typing import Any

import torch
import torch.nn.functional as F
from detectron2.config import configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.modeling.registration import register
from d2freq.modeling.unmixing.blocks import SLOPE, ResidualDenseBlock, enlarging, narrowed
from d2freq.modeling.unmixing.methods.config import arguments_of
from d2freq.modeling.unmixing.single_frame import ScaledModel
from d2freq.modeling.unmixing.units import INTENSITY

__all__ = ["GMFN"]

SCALE = 0.2  # of what a dense block adds


@register(META_ARCH_REGISTRY)
class GMFN(ScaledModel):
    """Four passes through eight residual dense blocks; 2,796,518 parameters.

    From the second pass on each block's input is joined by what all blocks gave in the pass before.

    What is different from the published code: every pass has its own part of the loss (their mean),
    and the last one is the answer, as in GMFN's paper. The code stacked the four passes along the
    batch and read the first alone, so that the feedback was neither trained nor used: its 50.94
    CSO-mAP is that of a plain network of 2,786,212 weights at four times its cost.
    """

    needs_q_init = False

    @configurable
    def __init__(
        self,
        *,
        channels: int = 32,
        first_channels: int = 128,
        blocks: int = 8,
        layers: int = 8,
        steps: int = 4,
        **optics: Any,
    ) -> None:
        """See MODEL.GMFN in keys/super_resolution.py.

        Args:
            channels: of the features.
            first_channels: behind the first convolution.
            blocks: residual dense blocks.
            layers: convolutions of a block.
            steps: passes, at least 1; with 1 the feedback is there and unused.
            **optics: of :class:`UnmixingModel`.

        Raises:
            UserError: fewer than 1 pass.
        """
        if steps < 1:
            raise UserError(f"MODEL.GMFN.STEPS is {steps}: there is at least one pass")
        super().__init__(**optics)
        self.steps = steps
        self.first = narrowed(first_channels, channels)
        self.blocks = nn.ModuleList(
            ResidualDenseBlock(channels, layers, scale=SCALE, leaky=True) for _ in range(blocks)
        )
        self.gather = _mixed(blocks * channels, channels)
        self.join = _mixed(2 * channels, channels)
        self.enlarge = enlarging(channels, self.factor)
        self.last = nn.Conv2d(channels, 1, 3, padding=1)

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """MODEL.GMFN and MODEL.UNMIXING."""
        return {**super().from_config(cfg), **arguments_of(cfg, "GMFN")}

    def unmix(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) -> (N, 1, g, g), the last pass."""
        return self._to_grid(self._features(frames)[-1], frames)

    def losses(self, frames: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Mean over the passes of the mean squared error, in grey levels."""
        truth = self.centres(targets).flatten(0, 1).float()
        scaled = self.centres(frames).flatten(0, 1) / INTENSITY
        errors = [
            F.mse_loss(self._to_grid(features, scaled).float() * INTENSITY, truth)
            for features in self._features(scaled)
        ]
        return {"loss_reg": torch.stack(errors).mean()}

    def _features(self, frames: Tensor) -> list[Tensor]:
        """(N, 1, m, m) -> the last features (N, C, m, m) of each pass."""
        first, found = self.first(frames), []
        kept: list[Tensor] = []
        for _ in range(self.steps):
            # what was kept is the same for all blocks, and is gathered once
            gathered = self.gather(torch.cat(kept, dim=1)) if kept else None
            x, kept = first, []
            for block in self.blocks:
                x = block(x if gathered is None else self.join(torch.cat([x, gathered], dim=1)))
                kept.append(x)
            found.append(x)
        return found

    def _to_grid(self, features: Tensor, frames: Tensor) -> Tensor:
        """(N, C, m, m) features, (N, 1, m, m) frames -> (N, 1, g, g)."""
        enlarged = F.interpolate(frames, scale_factor=self.factor, mode="bilinear")
        return self.last(self.enlarge(features)) + enlarged


def _mixed(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.PReLU(init=SLOPE))
