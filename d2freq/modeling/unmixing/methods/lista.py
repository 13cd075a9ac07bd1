"""LISTA: ISTA's iterations with their matrices learned (Gregor and LeCun 2010).

Shapes as in base.py; here N = B * F frames.
"""

from typing import Any

import torch
from detectron2.config import configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor, nn

from d2freq.modeling.registration import register
from d2freq.modeling.unmixing.methods.config import keys_of
from d2freq.modeling.unmixing.single_frame import SingleFrameModel
from d2freq.ops.shrinkage import soft_threshold

__all__ = ["LISTA"]


@register(META_ARCH_REGISTRY)
class LISTA(SingleFrameModel):
    """``x <- shrink(W y + S x, theta)`` with each layer's own W, S, theta: 21,100,464 parameters.

    They start as published: W = Q_init, S = 1 - Q_init Phi, theta = penalty / |Phi|^2, a threshold
    for each cell, which counts as 0 where training leads below. The first estimate is Q_init's.
    Phi Q_init = 1 where its fit has no ridge, so that every layer hands on what it gets but for
    theta, and training starts from Q_init's grid.

    The loss compares each frame's grid with its own target. The published code broadcast the 20
    targets of a trajectory against its 20 grids, and so trained towards their average.
    """

    @configurable
    def __init__(self, *, layers: int = 16, penalty: float = 0.4, **optics: Any) -> None:
        """See MODEL.LISTA in config.py.

        Args:
            layers: iterations.
            penalty: what the thresholds start as, times |Phi|^2, in grey levels.
            **optics: of :class:`UnmixingModel`.
        """
        super().__init__(**optics)
        threshold = penalty / torch.linalg.matrix_norm(self.phi, 2).square()
        self.layers = nn.ModuleList(_Layer(self.phi, self.q_init, threshold) for _ in range(layers))

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """MODEL.LISTA and MODEL.UNMIXING."""
        keys = keys_of(cfg, "LISTA")
        return {**super().from_config(cfg), "layers": keys.LAYERS, "penalty": keys.PENALTY}

    def estimate(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) frames -> (N, 1, g, g) grids, float32 also inside autocast."""
        with torch.autocast(frames.device.type, enabled=False):  # W y and S x nearly cancel
            y, x = frames.flatten(1).float(), self.initial(frames).flatten(1)
            for layer in self.layers:
                x = layer(x, y)
        return x.reshape(-1, 1, self.grid, self.grid)


class _Layer(nn.Module):
    """(N, g*g) estimates and (N, m*m) frames -> (N, g*g)."""

    def __init__(self, phi: Tensor, q_init: Tensor, threshold: Tensor) -> None:
        super().__init__()
        pixels, cells = phi.shape
        self.measure = nn.Linear(pixels, cells, bias=False)
        self.recur = nn.Linear(cells, cells, bias=False)
        self.threshold = nn.Parameter(threshold.expand(cells).clone())
        with torch.no_grad():
            self.measure.weight.copy_(q_init)
            self.recur.weight.copy_(torch.eye(cells) - q_init @ phi)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return soft_threshold(self.measure(y) + self.recur(x), self.threshold.clamp(min=0))
