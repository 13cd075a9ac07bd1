"""ISTA-Net++: gradient steps and residual networks in turn, conditioned (You, Xie, Zhang 2021).

Shapes as in base.py; here N = B * F frames, values in intensities of a target.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from detectron2.config import configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor, nn

from d2freq.modeling.registration import register
from d2freq.modeling.unmixing.methods.config import arguments_of
from d2freq.modeling.unmixing.optics import Optics
from d2freq.modeling.unmixing.single_frame import ScaledModel
from d2freq.modeling.unmixing.units import INTENSITY, noise_level
from d2freq.utils.choices import choice

__all__ = ["ISTANetPlusPlus"]

CONDITIONS = ("noise", "free")
LEVEL = 10.0 / INTENSITY  # noise of 10 grey levels is 1 to the conditioning network
SLOPE = 0.1  # of leaky ReLUs below zero
SMALL = 0.1  # of a step's last layer at its start, so that it hands its input on


@register(META_ARCH_REGISTRY)
class ISTANetPlusPlus(ScaledModel):
    """20 stages with weights of their own from Phi^T y on; 760,220 parameters.

    What is different from the published code (50.50 CSO-mAP, which is sound):

    * Its conditioning network of 2,440 weights is fed a constant. Here it is fed the noise that is
      estimated in each frame, so that one network serves several levels; ``condition`` "free" has
      the 40 numbers themselves, 757,820 parameters in all.
    * Steps start at 1 / |Phi|^2 and stay above 0; published steps start at -0.0016 to 0.
    * Products with Phi go by its axes, an eighth of the work.

    The original conditions on the ratio of compression, and shuffles blocks against their borders;
    nothing of that applies to whole frames of one camera.
    """

    needs_q_init = False

    @configurable
    def __init__(
        self, *, stages: int = 20, channels: int = 32, condition: str = "noise", **optics: Any
    ) -> None:
        """See MODEL.ISTANETPLUSPLUS in keys/unfolding.py.

        Args:
            stages: iterations.
            channels: of the learned step, and of the conditioning network.
            condition: "noise" or "free".
            **optics: of :class:`UnmixingModel`.

        Raises:
            UserError: another condition.
        """
        choice(condition, CONDITIONS, key="MODEL.ISTANETPLUSPLUS.CONDITION")
        super().__init__(**optics)
        self.optics = Optics(self.size, self.factor, self.sigma)
        self.stages = nn.ModuleList(_Stage(channels) for _ in range(stages))
        self.free: nn.Parameter | None = None
        if condition == "free":
            self.free = nn.Parameter(torch.zeros(2 * stages))
        else:
            last = nn.Linear(channels, 2 * stages)
            nn.init.zeros_(last.bias)
            last.weight.data.mul_(SMALL)
            self.condition = nn.Sequential(
                nn.Linear(1, channels),
                nn.LeakyReLU(SLOPE),
                nn.Linear(channels, channels),
                nn.LeakyReLU(SLOPE),
                last,
            )

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """MODEL.ISTANETPLUSPLUS and MODEL.UNMIXING."""
        return {**super().from_config(cfg), **arguments_of(cfg, "ISTANETPLUSPLUS")}

    def unmix(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) -> (N, 1, g, g)."""
        steps, levels = self.conditions(frames)
        grid = self.optics.spread(frames)
        for number, stage in enumerate(self.stages):
            grid = self.optics.descend(grid, frames, steps[:, number])
            grid = grid + stage(grid, levels[:, number])
        return grid

    def conditions(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Steps and noise levels of the stages, each (N, stages, 1, 1, 1), for frames (N, 1, m, m).

        A level of 1 stands for 10 grey levels.
        """
        if self.free is None:
            found = self.condition(noise_level(frames).flatten(1) / LEVEL).float()
        else:
            found = self.free.expand(len(frames), -1)
        steps, levels = found[..., None, None, None].chunk(2, dim=1)
        # a step of Adam is a share of the width; from 2 / |Phi|^2 on gradient steps diverge
        return steps.clamp(max=math.log(2)).exp() / self.optics.norm, F.softplus(levels)


class _Stage(nn.Module):
    """What a stage adds: (N, 1, g, g) and its level (N, 1, 1, 1) -> (N, 1, g, g).

    37,889 parameters at 32 channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.lift = nn.Conv2d(2, channels, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=1),
                nn.LeakyReLU(SLOPE),
                nn.Conv2d(channels, channels, 3, padding=1),
            )
            for _ in range(2)
        )
        self.lower = nn.Conv2d(channels, 1, 3, padding=1)
        for parameter in self.lower.parameters():
            parameter.data.mul_(SMALL)

    def forward(self, grid: Tensor, level: Tensor) -> Tensor:
        x = self.lift(torch.cat([grid, level.to(grid).expand_as(grid)], dim=1))
        for block in self.blocks:
            x = x + block(x)
        return self.lower(x)
