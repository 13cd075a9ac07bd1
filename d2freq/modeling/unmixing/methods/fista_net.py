"""FISTA-Net: FISTA's two-step iterations with one learned transform for all (Xiang et al. 2021).

Shapes as in base.py; N = B * F frames, C channels.
"""

from typing import Any

import torch
import torch.nn.functional as F
from detectron2.config import configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor, nn

from d2freq.modeling.registration import register
from d2freq.modeling.unmixing.methods.config import keys_of
from d2freq.modeling.unmixing.single_frame import SingleFrameModel
from d2freq.modeling.unmixing.stages import conv3x3, gradient_step, squared_error
from d2freq.ops.shrinkage import soft_threshold

__all__ = ["FISTANet"]


@register(META_ARCH_REGISTRY)
class FISTANet(SingleFrameModel):
    """Iterations that share all weights; only step, threshold and momentum change, by a rule.

    With iteration i = 0, 1, ...: step softplus(w i + b), threshold alike, and momentum
    (softplus(w i + b) - softplus(b)) / softplus(w i + b), each with a w and b of its own, so that
    step and threshold fall and the momentum grows from 0.

    The published code defines convolutions for a transform and an inverse of four layers each and
    calls two of each: 37,607 parameters work, of the 74,599 that it has. ``depth`` 2 is what it
    computes; ``depth`` 4 has the 74,599 parameters, all at work.
    """

    needs_gram = True

    @configurable
    def __init__(
        self,
        *,
        iterations: int = 7,
        channels: int = 32,
        depth: int = 2,
        l1_weight: float = 0.1,
        constraint_weight: float = 0.01,
        sparsity_weight: float = 0.001,
        **optics: Any,
    ) -> None:
        """See MODEL.FISTANET in config.py.

        Args:
            iterations: of the shared block.
            channels: of the learned transform.
            depth: convolutions in the transform, and in its inverse.
            l1_weight: of the absolute error beside the squared one.
            constraint_weight: of the loss that keeps the inverse an inverse.
            sparsity_weight: of the mean absolute feature.
            **optics: of :class:`UnmixingModel`.
        """
        super().__init__(**optics)
        self.iterations = iterations
        self.l1_weight, self.constraint_weight = l1_weight, constraint_weight
        self.sparsity_weight = sparsity_weight
        # (w, b) of the rules; FISTA-Net's start
        self.step_rule = nn.Parameter(torch.tensor([-0.2, 0.1]))
        self.threshold_rule = nn.Parameter(torch.tensor([-0.5, -2.0]))
        self.momentum_rule = nn.Parameter(torch.tensor([0.5, 0.0]))
        self.lift = conv3x3(1, channels, bias=True)
        self.transform, self.inverse = (_chain(channels, depth) for _ in range(2))
        self.lower = conv3x3(channels, 1, bias=True)

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """MODEL.FISTANET and MODEL.UNMIXING."""
        keys = keys_of(cfg, "FISTANET")
        return {
            **super().from_config(cfg),
            "iterations": keys.ITERATIONS,
            "channels": keys.CHANNELS,
            "depth": keys.DEPTH,
            "l1_weight": keys.L1_WEIGHT,
            "constraint_weight": keys.CONSTRAINT_WEIGHT,
            "sparsity_weight": keys.SPARSITY_WEIGHT,
        }

    def estimate(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) frames -> (N, 1, g, g) grids, nowhere below zero."""
        return self._iterate(frames, record=None)

    def losses(self, frames: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Squared and absolute error, constraint and sparsity; means, the last two over stages.

        The published code minimises 2 of the first, 1.01 of the constraint and 0.001 of the
        sparsity, since the framework added parts to their weighted sum; CONSTRAINT_WEIGHT 0.505
        and SPARSITY_WEIGHT 0.0005 have those ratios.
        """
        truth = self.centres(targets).flatten(0, 1).float()
        record: list[tuple[Tensor, Tensor]] = []
        grids = self._iterate(self.centres(frames).flatten(0, 1), record=record).float()
        residuals, features = zip(*record, strict=True)
        sparsity = torch.stack([each.float().abs().mean() for each in features]).sum()
        error = F.mse_loss(grids, truth) + self.l1_weight * F.l1_loss(grids, truth)
        return {
            "loss_reg": error,
            "loss_constraint": self.constraint_weight * squared_error(residuals),
            "loss_sparsity": self.sparsity_weight * sparsity,
        }

    def _iterate(self, frames: Tensor, record: list[tuple[Tensor, Tensor]] | None) -> Tensor:
        """The last estimate; residuals and shrunk features go to ``record``, if there is one."""
        back = self.back_projection(frames)
        ahead = before = self.initial(frames)
        offset = F.softplus(self.momentum_rule[1])
        for number in range(self.iterations):
            start = gradient_step(ahead, self.gram, back, _rule(self.step_rule, number))
            lifted = self.lift(start)
            features = self.transform(lifted)
            shrunk = soft_threshold(features, _rule(self.threshold_rule, number))
            estimate = torch.relu(start + self.lower(self.inverse(shrunk)))
            if record is not None:
                record.append((self.inverse(features) - lifted, shrunk))
            growth = _rule(self.momentum_rule, number)
            ahead = estimate + (growth - offset) / growth * (estimate - before)
            before = estimate
        return before


def _rule(pair: Tensor, number: int) -> Tensor:
    return F.softplus(pair[0] * number + pair[1])


def _chain(channels: int, depth: int) -> nn.Sequential:
    """``depth`` convolutions with ReLU between them."""
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [conv3x3(channels, channels, bias=True), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
