"""LAMP: approximate message passing with its matrices learned (Borgerding, Schniter, Rangan 2017).

The paper's Table 7 cites another method of that name, learned D-AMP; its code is this one. Shapes
as in base.py; here N = B * F frames.
"""

from typing import Any

import torch
from detectron2.config import configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.modeling.registration import register
from d2freq.modeling.unmixing.methods.config import arguments_of
from d2freq.modeling.unmixing.single_frame import SingleFrameModel
from d2freq.ops.shrinkage import soft_threshold

__all__ = ["LAMP"]


@register(META_ARCH_REGISTRY)
class LAMP(SingleFrameModel):
    """``v <- y - Phi x + b v``, ``x <- soft(x + B v, theta * rms(v))``: 2,125,728 parameters.

    b, Onsager's correction, is the share of cells that are not zero a pixel: |x|_0 / (m*m). A
    threshold counts in standard deviations of the residual, so that it needs no unit, and B starts
    as Phi^T / |Phi|^2.

    What is different from the published code, whose 9.09 CSO-mAP is below its own start: x begins
    at zero, not at Q_init's dense grid; b is at most ``onsager``, since its theory is of random
    matrices and on these optics, whose columns are nearly alike, it amplifies what it should
    cancel; each frame learns its own grid, not the mean of 20.
    """

    needs_q_init = False

    @configurable
    def __init__(
        self, *, layers: int = 16, threshold: float = 0.4, onsager: float = 0.5, **optics: Any
    ) -> None:
        """See MODEL.LAMP in keys/thresholding.py.

        Args:
            layers: iterations.
            threshold: what the thresholds start as, in standard deviations of the residual.
            onsager: the most that b may be, at least 0.
            **optics: of :class:`UnmixingModel`.

        Raises:
            UserError: a value below 0.
        """
        if threshold < 0 or onsager < 0:
            raise UserError(
                f"MODEL.LAMP: THRESHOLD {threshold} and ONSAGER {onsager} are at least 0"
            )
        super().__init__(**optics)
        self.onsager = onsager
        self.layers = nn.ModuleList(_Layer(self.phi, threshold) for _ in range(layers))

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """MODEL.LAMP and MODEL.UNMIXING."""
        return {**super().from_config(cfg), **arguments_of(cfg, "LAMP")}

    def estimate(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) frames -> (N, 1, g, g) grids, float32 also inside autocast."""
        with torch.autocast(frames.device.type, enabled=False):
            y = frames.flatten(1).float()
            x, v = y.new_zeros(len(y), self.grid**2), torch.zeros_like(y)
            for layer in self.layers:
                share = (x != 0).sum(1, keepdim=True) / self.size**2
                v = y - x @ self.phi.T + share.clamp(max=self.onsager) * v
                x = layer(x, v)
        return x.reshape(-1, 1, self.grid, self.grid)


class _Layer(nn.Module):
    """(N, g*g) estimates and (N, m*m) residuals -> (N, g*g)."""

    def __init__(self, phi: Tensor, threshold: float) -> None:
        super().__init__()
        pixels, cells = phi.shape
        self.measure = nn.Linear(pixels, cells, bias=False)
        self.threshold = nn.Parameter(torch.full((cells,), threshold))
        with torch.no_grad():
            self.measure.weight.copy_(phi.T / torch.linalg.matrix_norm(phi, 2).square())

    def forward(self, x: Tensor, v: Tensor) -> Tensor:
        spread = v.square().mean(1, keepdim=True).add(1e-12).sqrt()  # a gradient at v = 0, too
        return soft_threshold(x + self.measure(v), self.threshold.clamp(min=0) * spread)
