"""ISTA-Net and ISTA-Net+: ISTA's iterations with a learned transform (Zhang, Ghanem 2018).

ISTA-Net+ has a deeper transform that works on the residual. Shapes as in unmixing/base.py; N = B *
F frames.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from detectron2.config import configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor, nn

from d2freq.modeling.registration import register
from d2freq.modeling.unmixing.methods.config import keys_of
from d2freq.modeling.unmixing.single_frame import SingleFrameModel
from d2freq.modeling.unmixing.stages import IstaNetStage, conv3x3, gradient_step, squared_error
from d2freq.ops.shrinkage import soft_threshold

__all__ = ["ISTANet", "ISTANetPlus", "IstaNetPlusStage"]


@register(META_ARCH_REGISTRY)
class ISTANet(SingleFrameModel):
    """Stages with weights of their own, from Q_init on; 171,090 parameters with 9 stages."""

    needs_gram = True
    make_stage: Callable[..., nn.Module] = IstaNetStage
    stages: Any  # nn.ModuleList of what make_stage makes

    @configurable
    def __init__(
        self,
        *,
        stages: int = 9,
        channels: int = 32,
        step: float = 0.5,
        constraint_weight: float = 0.01,
        **optics: Any,
    ) -> None:
        """See MODEL.ISTANET in config.py.

        Args:
            stages: iterations.
            channels: of the learned transform.
            step: of every stage's gradient step before training.
            constraint_weight: of the loss that keeps the inverse an inverse.
            **optics: of :class:`UnmixingModel`.
        """
        super().__init__(**optics)
        self.constraint_weight = constraint_weight
        self.stages = nn.ModuleList(
            type(self).make_stage(channels, step=step) for _ in range(stages)
        )

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """MODEL.ISTANET and MODEL.UNMIXING."""
        keys = keys_of(cfg, "ISTANET")
        return {
            **super().from_config(cfg),
            "stages": keys.STAGES,
            "channels": keys.CHANNELS,
            "step": keys.STEP,
            "constraint_weight": keys.CONSTRAINT_WEIGHT,
        }

    def estimate(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) frames -> (N, 1, g, g) grids."""
        x, back = self.initial(frames), self.back_projection(frames)
        for stage in self.stages:
            x = stage.estimate(x, self.gram, back)
        return x

    def losses(self, frames: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Squared error of the last stage, and the constraint of all stages, both means.

        The published code minimises 2 of the first and 1.01 of the second, since the framework
        added the parts to their weighted sum; CONSTRAINT_WEIGHT 0.505 has that ratio.
        """
        centres = self.centres(frames).flatten(0, 1)
        truth = self.centres(targets).flatten(0, 1).float()
        x, back = self.initial(centres), self.back_projection(centres)
        residuals = []
        for stage in self.stages:
            x, residual = stage(x, self.gram, back)
            residuals.append(residual)
        return {
            "loss_reg": F.mse_loss(x.float(), truth),
            "loss_constraint": self.constraint_weight * squared_error(residuals),
        }


class IstaNetPlusStage(nn.Module):
    """One stage: 37,442 parameters at 32 channels; shapes as in :class:`IstaNetStage`.

    A convolution lifts the grid to C channels, the transform and its inverse work there, and
    another convolution leads back to the grid, where the result is added to the gradient step.
    """

    def __init__(self, channels: int = 32, *, step: float = 0.5) -> None:
        super().__init__()
        self.step = nn.Parameter(torch.tensor(step))
        self.threshold = nn.Parameter(torch.tensor(0.01))
        self.lift = conv3x3(1, channels)
        self.transform, self.inverse = (
            nn.Sequential(conv3x3(channels, channels), nn.ReLU(), conv3x3(channels, channels))
            for _ in range(2)
        )
        self.lower = conv3x3(channels, 1)

    def forward(self, x: Tensor, gram: Tensor, back: Tensor) -> tuple[Tensor, Tensor]:
        """The next estimate (N, 1, g, g), and the residual (N, C, g, g) among the features."""
        start = gradient_step(x, gram, back, self.step)
        lifted = self.lift(start)
        features = self.transform(lifted)
        estimate = start + self.lower(self.inverse(soft_threshold(features, self.threshold)))
        return estimate, self.inverse(features) - lifted

    def estimate(self, x: Tensor, gram: Tensor, back: Tensor) -> Tensor:
        """The next estimate alone, for inference."""
        start = gradient_step(x, gram, back, self.step)
        features = self.transform(self.lift(start))
        return start + self.lower(self.inverse(soft_threshold(features, self.threshold)))


@register(META_ARCH_REGISTRY)
class ISTANetPlus(ISTANet):
    """See :class:`ISTANet`; 336,978 parameters with 9 stages."""

    make_stage = IstaNetPlusStage
