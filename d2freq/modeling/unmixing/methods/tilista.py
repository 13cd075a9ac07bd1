"""TiLISTA, and ALISTA, to which its own paper's title belongs (Liu, Chen, Wang, Yin 2019).

Shapes as in base.py; here N = B * F frames, values in intensities of a target.
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
from d2freq.modeling.unmixing.single_frame import ScaledModel
from d2freq.ops.shrinkage import soft_threshold
from d2freq.utils.choices import choice

__all__ = ["TiLISTA"]

MATRICES = ("layers", "tied", "fixed")


@register(META_ARCH_REGISTRY)
class TiLISTA(ScaledModel):
    """``x <- soft(x + a W (y - Phi x), theta)``, the largest cells spared: 2,125,744 parameters.

    W starts as Q_init, a as 1. ``matrix`` "layers" has a W and 1,089 thresholds a layer, as the
    published code, though "Ti" stands for tied weights. "tied" has one W (131,801 parameters);
    "fixed" learns a and theta alone, 32 numbers.

    What is different from the published code, whose 13.52 CSO-mAP is below its own start: at most 1
    % of the cells are spared from the threshold, not 13 % (142 cells for 2 to 4 targets);
    thresholds start at a fiftieth of a target, not at 0.0465 grey levels; each frame learns its own
    grid, not the mean of 20.
    """

    @configurable
    def __init__(
        self,
        *,
        layers: int = 16,
        matrix: str = "layers",
        threshold: float = 0.02,
        spared: float = 0.1,
        spared_most: float = 1.0,
        **optics: Any,
    ) -> None:
        """See MODEL.TILISTA in keys/thresholding.py.

        Args:
            layers: iterations.
            matrix: "layers", "tied" or "fixed".
            threshold: what the thresholds start as, in intensities of a target.
            spared: percent of the cells that layer k spares, times k.
            spared_most: percent of the cells that a layer spares at most.
            **optics: of :class:`UnmixingModel`.

        Raises:
            UserError: a value outside its range.
        """
        choice(matrix, MATRICES, key="MODEL.TILISTA.MATRIX")
        if threshold < 0 or spared < 0 or not 0 <= spared_most < 100:
            raise UserError(
                f"MODEL.TILISTA: THRESHOLD {threshold} and SPARED {spared} are at least 0, "
                f"SPARED_MOST {spared_most} is below 100 percent"
            )
        super().__init__(**optics)
        cells = self.grid**2
        numbers = cells if matrix == "layers" else 1
        self.steps = nn.Parameter(torch.ones(layers))
        self.thresholds = nn.Parameter(torch.full((layers, numbers), threshold))
        # q_init itself serves a fixed W
        own = {"layers": layers, "tied": 1, "fixed": 0}[matrix]
        self.matrices = nn.ParameterList(self.q_init.clone() for _ in range(own))
        percent = (min((k + 1) * spared, spared_most) for k in range(layers))
        self.spared = tuple(round(share / 100 * cells) for share in percent)

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """MODEL.TILISTA and MODEL.UNMIXING."""
        return {**super().from_config(cfg), **arguments_of(cfg, "TILISTA")}

    def unmix(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) -> (N, 1, g, g), float32 also inside autocast."""
        with torch.autocast(frames.device.type, enabled=False):
            y, x = frames.flatten(1).float(), self.initial(frames).flatten(1)
            for number, count in enumerate(self.spared):
                moved = x + self.steps[number] * F.linear(y - x @ self.phi.T, self._matrix(number))
                x = soft_threshold(moved, self.thresholds[number].clamp(min=0))
                if count:
                    kept = moved.abs().topk(count, dim=1).indices
                    x = x.scatter(1, kept, moved.gather(1, kept))
        return x.reshape(-1, 1, self.grid, self.grid)

    def _matrix(self, number: int) -> Tensor:
        if not len(self.matrices):
            return self.q_init
        return self.matrices[number if len(self.matrices) > 1 else 0]
