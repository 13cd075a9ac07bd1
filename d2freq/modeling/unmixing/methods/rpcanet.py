"""RPCANet: background and targets of a frame apart, by three networks a stage (Wu et al. 2024).

Shapes as in base.py; here N = B * F frames, C channels, values in intensities of a target.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from detectron2.config import configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor, nn

from d2freq.modeling.registration import register
from d2freq.modeling.unmixing.methods.config import arguments_of
from d2freq.modeling.unmixing.optics import Optics
from d2freq.modeling.unmixing.single_frame import ScaledModel
from d2freq.modeling.unmixing.units import INTENSITY

__all__ = ["RPCANet", "Separated"]

SHARE = 0.01  # of the targets' network in a stage, at its start


class Separated(NamedTuple):
    """A frame taken apart, in intensities of a target."""

    targets: Tensor  # (N, 1, g, g)
    background: Tensor  # (N, 1, m, m)
    merged: Tensor  # (N, 1, m, m), both put together again


@register(META_ARCH_REGISTRY)
class RPCANet(ScaledModel):
    """Six stages of background, targets and merging; 679,896 parameters.

    A stage knows the frame D and the targets T so far. It estimates the background B = L +
    net(L) of L = D - Phi T; moves T by a gradient step to what Phi has to explain, D - B, and by a
    network; and merges B and Phi T to the D of the next stage.

    It is made for a background, which SeqCSIST has in its mixed set alone. What is different from
    the published code (47.17 CSO-mAP):

    * Background and frame are of pixels, targets of cells, and Phi leads from one to the other.
      There all are images of Q_init, and no step knows of Phi, so that it is a residual network.
    * D goes from stage to stage, as in RPCANet's paper. There every stage begins with the first D,
      so that the six merging networks, a quarter of the weights, do not touch the targets.
    * The merged frame has 0.1 of the loss; there parts are added twice, 0.99 beside 1.8.
    * Batches may have any size; there they have 20 frames.

    The biases of convolutions in front of a batch norm, 1,536 of the parameters, have no effect.
    """

    needs_q_init = False

    stages: Any  # nn.ModuleList of _Stage

    @configurable
    def __init__(
        self,
        *,
        stages: int = 6,
        channels: int = 32,
        layers: int = 3,
        target_layers: int = 6,
        merge_weight: float = 0.1,
        **optics: Any,
    ) -> None:
        """See MODEL.RPCANET in keys/unfolding.py.

        Args:
            stages: iterations.
            channels: of all networks.
            layers: convolutions between the first and the last, of background and merging.
            target_layers: the same of the targets' network.
            merge_weight: of the squared error of the merged frame.
            **optics: of :class:`UnmixingModel`.
        """
        super().__init__(**optics)
        self.merge_weight = merge_weight
        self.optics = Optics(self.size, self.factor, self.sigma)
        self.stages = nn.ModuleList(_Stage(channels, layers, target_layers) for _ in range(stages))

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """MODEL.RPCANET and MODEL.UNMIXING."""
        return {**super().from_config(cfg), **arguments_of(cfg, "RPCANET")}

    def unmix(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) -> (N, 1, g, g)."""
        return self.separate(frames).targets

    def separate(self, frames: Tensor) -> Separated:
        """Take frames (N, 1, m, m), in intensities of a target, apart."""
        targets = frames.new_zeros(len(frames), 1, self.grid, self.grid)
        frame = background = frames
        for stage in self.stages:
            rest = frame - self.optics.measure(targets)
            background = rest + stage.background(rest)
            moved = self.optics.descend(targets, frame - background, 1 / self.optics.norm)
            targets = moved - stage.share * stage.targets(moved)
            whole = background + self.optics.measure(targets)
            frame = whole + stage.merge(whole)
        return Separated(targets, background, frame)

    def losses(self, frames: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Mean squared errors of the grid, and of the merged frame; grey levels."""
        truth = self.centres(targets).flatten(0, 1).float()
        given = self.centres(frames).flatten(0, 1).float()
        found = self.separate(given / INTENSITY)
        merged = F.mse_loss(found.merged.float() * INTENSITY, given)
        return {
            "loss_reg": F.mse_loss(found.targets.float() * INTENSITY, truth),
            "loss_merge": self.merge_weight * merged,
        }


class _Stage(nn.Module):
    """The three networks of a stage: 28,609, 56,098 and 28,609 parameters."""

    def __init__(self, channels: int, layers: int, target_layers: int) -> None:
        super().__init__()
        self.background = _chain(channels, layers, norm=True)
        self.targets = _chain(channels, target_layers, norm=False)
        self.share = nn.Parameter(torch.tensor(SHARE))
        self.merge = _chain(channels, layers, norm=True)


def _chain(channels: int, layers: int, *, norm: bool) -> nn.Sequential:
    """(N, 1, h, w) -> (N, 1, h, w): 3 x 3 convolutions with ReLUs, and batch norms, between."""
    parts: list[nn.Module] = []
    for inputs in (1, *[channels] * layers):
        conv = nn.Conv2d(inputs, channels, 3, padding=1)
        nn.init.xavier_normal_(conv.weight)
        parts += [conv, *([nn.BatchNorm2d(channels)] if norm else []), nn.ReLU()]
    return nn.Sequential(*parts, nn.Conv2d(channels, 1, 3, padding=1))
