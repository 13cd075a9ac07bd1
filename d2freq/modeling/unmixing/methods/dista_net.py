"""DISTA-Net: ISTA-Net whose transform and thresholds follow from the frame (Han et al. 2025).

It comes with single frames (CSIST-100K) and is not in SeqCSIST's Table 7. Shapes as in base.py;
here N = B * F frames, C channels, values in intensities of a target.
"""

from typing import Any

import torch
import torch.nn.functional as F
from detectron2.config import configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.modeling.registration import register
from d2freq.modeling.unmixing.methods.config import arguments_of
from d2freq.modeling.unmixing.optics import Optics
from d2freq.modeling.unmixing.single_frame import ScaledModel
from d2freq.modeling.unmixing.stages import conv3x3, squared_error
from d2freq.modeling.unmixing.units import INTENSITY
from d2freq.ops.shrinkage import soft_threshold

__all__ = ["DISTANet"]

HIDDEN = 256  # of the network that makes a frame's kernel
TRANSFORMED = 0.7  # share of the transform in the features; the rest is the frame's own kernel's


@register(META_ARCH_REGISTRY)
class DISTANet(ScaledModel):
    """Six stages from Q_init on; 2,179,104 parameters, 490,986 without the frames' own kernels.

    What is different from the published code (46.74 CSO-mAP on CSIST-100K):

    * A frame meets its own kernel alone. There the kernels of a batch are taken for the channels of
      one convolution, so that a frame's features hold the answers to all frames' kernels: only
      batches of 64 run, and exchanging the other 63 moves a frame's output by 3 %.
    * The network that makes kernels learns, and has a ReLU between its layers. There the kernel is
      wrapped as a new parameter, no gradient passes, and 1,688,118 of the weights stay random.
    * Thresholds count as 0 below zero, where there they would enlarge what they should shrink.
    * Steps start at 1 / |Phi|^2, not at 0.5, where gradient steps diverge.
    """

    stages: Any  # nn.ModuleList of _Stage

    @configurable
    def __init__(
        self,
        *,
        stages: int = 6,
        channels: int = 64,
        dynamic: bool = True,
        step: float = 0.1165,
        constraint_weight: float = 0.01,
        **optics: Any,
    ) -> None:
        """See MODEL.DISTANET in keys/unfolding.py.

        Args:
            stages: iterations.
            channels: of the transform, even.
            dynamic: with a kernel made from each frame.
            step: of every stage's gradient step before training.
            constraint_weight: of the loss that keeps the inverse an inverse.
            **optics: of :class:`UnmixingModel`.

        Raises:
            UserError: odd channels.
        """
        if channels < 2 or channels % 2:
            raise UserError(
                f"MODEL.DISTANET.CHANNELS is {channels}: the attention halves them, so take an "
                "even number such as 64"
            )
        super().__init__(**optics)
        self.constraint_weight = constraint_weight
        self.optics = Optics(self.size, self.factor, self.sigma)
        cells = self.grid**2 if dynamic else None
        self.stages = nn.ModuleList(_Stage(channels, cells, step) for _ in range(stages))

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """MODEL.DISTANET and MODEL.UNMIXING."""
        return {**super().from_config(cfg), **arguments_of(cfg, "DISTANET")}

    def unmix(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) -> (N, 1, g, g)."""
        grid = self.initial(frames)
        for stage in self.stages:
            start = self.optics.descend(grid, frames, stage.step)
            grid = stage.inverse(stage.shrink(stage.features(start, grid)))
        return grid

    def losses(self, frames: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Squared error of the last stage, constraint of all stages; means, in grey levels."""
        truth = self.centres(targets).flatten(0, 1).float()
        scaled = self.centres(frames).flatten(0, 1).float() / INTENSITY
        grid, residuals = self.initial(scaled), []
        for stage in self.stages:
            start = self.optics.descend(grid, scaled, stage.step)
            features = stage.features(start, grid)
            grid = stage.inverse(stage.shrink(features))
            residuals.append((stage.inverse(features).float() - start) * INTENSITY)
        return {
            "loss_reg": F.mse_loss(grid.float() * INTENSITY, truth),
            "loss_constraint": self.constraint_weight * squared_error(residuals),
        }


class _Stage(nn.Module):
    """One iteration: 81,831 parameters, and 281,353 that make a kernel of 3 x 3 from a frame."""

    def __init__(self, channels: int, cells: int | None, step: float) -> None:
        super().__init__()
        self.step = nn.Parameter(torch.tensor(step))
        self.transform = nn.Sequential(conv3x3(1, channels), nn.ReLU(), conv3x3(channels, channels))
        self.inverse = nn.Sequential(conv3x3(channels, channels), nn.ReLU(), conv3x3(channels, 1))
        self.attention = _Attention(channels)
        self.kernel = None
        if cells is not None:
            self.kernel = nn.Sequential(nn.Linear(cells, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 9))

    def features(self, start: Tensor, before: Tensor) -> Tensor:
        """Features (N, C, g, g) of the gradient step's grid; the kernel is of the one before it."""
        features = self.transform(start)
        if self.kernel is None:
            return features
        kernels = self.kernel(before.flatten(1)).to(start.dtype).reshape(-1, 1, 3, 3)
        # a group for each frame, so that it meets its own kernel alone
        answer = F.conv2d(start.transpose(0, 1), kernels, padding=1, groups=len(start))
        own = torch.sigmoid(answer.transpose(0, 1))
        return TRANSFORMED * features + (1 - TRANSFORMED) * own

    def shrink(self, features: Tensor) -> Tensor:
        """(N, C, g, g) -> the same, each number by a threshold of its own."""
        return soft_threshold(features, torch.relu(self.attention(features)))


class _Attention(nn.Module):
    """Features weighted by where a small and a wider view of them stand out; 6,950 parameters."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.near = nn.Conv2d(channels, channels // 2, 1)
        self.far = nn.Conv2d(channels, channels // 2, 1)
        self.score = nn.Conv2d(2, 2, 3, padding=1)
        self.restore = nn.Conv2d(channels // 2, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        near, far = self.near(x), self.far(self.widen(x))
        both = torch.cat([near, far], dim=1)
        pooled = torch.cat([both.mean(1, keepdim=True), both.amax(1, keepdim=True)], dim=1)
        weight = torch.sigmoid(self.score(pooled))
        return x * self.restore(near * weight[:, :1] + far * weight[:, 1:])
