"""ISTA-Net+: ISTA-Net with a deeper transform that works on the residual (Zhang, Ghanem 2018)."""

import torch
from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor, nn

from d2freq.modeling.unmixing.ista_net import ISTANet
from d2freq.modeling.unmixing.stages import conv3x3, gradient_step
from d2freq.ops.shrinkage import soft_threshold

__all__ = ["ISTANetPlus", "IstaNetPlusStage"]


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


@META_ARCH_REGISTRY.register()
class ISTANetPlus(ISTANet):
    """See :class:`ISTANet`; 336,978 parameters with 9 stages."""

    make_stage = IstaNetPlusStage
