"""Richardson-Lucy deconvolution with the true optics, in the place of Table 7's BID.

BID as published is neither blind nor the method that it cites. It takes small steps against an
enlarged frame, x <- x - 0.001 (h * x - up(y)). Its frames are garbled (reshaped to one column and
resized), its kernel lies off centre and is a third as wide as the optics, and 1,000 steps of a
thousandth reach 63 % of the way. Its 14.40 CSO-mAP is not reproduced by its own code (0.5).

Shapes as in base.py; here N = B * F frames.
"""

from collections.abc import Sequence
from typing import Any

import torch
from detectron2.config import configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.modeling.registration import register
from d2freq.modeling.unmixing.config import unmixing_arguments
from d2freq.modeling.unmixing.methods.config import arguments_of
from d2freq.modeling.unmixing.optics import Optics
from d2freq.modeling.unmixing.single_frame import TrainingFreeModel
from d2freq.modeling.unmixing.units import noise_level

__all__ = ["RichardsonLucy"]

DARK = 1e-12  # of what a grid shows, so that nothing is divided by 0
MISFIT = 0.015  # of a frame's brightest pixel, that its true width leaves unexplained at most
UNEXPLAINED = 0.5  # share of the noise that is left, since the iterations explain some of it too


@register(META_ARCH_REGISTRY)
class RichardsonLucy(TrainingFreeModel):
    """``x <- x / (Phi^T 1) * Phi^T (y / (Phi x))`` from a flat grid on; no parameters.

    Richardson 1972, Lucy 1974: the likeliest intensities where noise is that of counted light. They
    stay at least 0 and keep the frame's light; negative pixels count as 0.

    With ``sigmas`` it is blind: each width of the spot is tried, and each frame takes the widest
    that explains it. Least squares would always choose the narrowest, since a wide spot is a sum
    of narrow ones; a spot that is too wide leaves several times as much as the true one.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.unmixing import RichardsonLucy
        >>> from d2freq.ops.psf import render
        >>> frame = render(torch.tensor([[5.0, 5.0]]), torch.tensor([230.0]))
        >>> grid = RichardsonLucy(iterations=100).estimate(frame[None, None])
        >>> tuple(grid.shape), divmod(int(grid.argmax()), 33)  # cell 16 lies at pixel 5
        ((1, 1, 33, 33), (16, 16))
    """

    needs_q_init = False

    @configurable
    def __init__(
        self,
        *,
        iterations: int = 1000,
        offset: float = 0.0,
        sigmas: Sequence[float] = (),
        **optics: Any,
    ) -> None:
        """See MODEL.RICHARDSONLUCY in keys/unfolding.py.

        Args:
            iterations: at least 1.
            offset: grey levels of noise that does not come with light, at least 0.
            sigmas: widths of the spot to choose from, in pixels; () where it is known.
            **optics: of :class:`UnmixingModel`.

        Raises:
            UserError: a value outside its range.
        """
        if iterations < 1 or offset < 0 or not all(width > 0 for width in sigmas):
            raise UserError(
                f"MODEL.RICHARDSONLUCY: ITERATIONS {iterations} is at least 1, OFFSET {offset} at "
                f"least 0, and SIGMAS {tuple(sigmas)} are pixels above 0"
            )
        super().__init__(**optics)
        self.iterations, self.offset, self.sigmas = iterations, offset, tuple(sigmas)
        widths = self.sigmas or (self.sigma,)
        self.choices = nn.ModuleList(Optics(self.size, self.factor, width) for width in widths)

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """MODEL.RICHARDSONLUCY and MODEL.UNMIXING."""
        optics = unmixing_arguments(cfg, needs_q_init=False)
        return {**optics, **arguments_of(cfg, "RICHARDSONLUCY")}

    def estimate(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) frames -> (N, 1, g, g) grids, nowhere below zero, float32."""
        return self.blind(frames)[0]

    def blind(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Grids, and which width of the spot each frame took.

        Args:
            frames: (N, 1, m, m).

        Returns:
            (N, 1, g, g) float32, and (N,) float32 in pixels.
        """
        light = frames.float().clamp(min=0)
        found = [self._iterate(light, optics) for optics in self.choices]
        grids, missing = (torch.stack(each) for each in zip(*found, strict=True))
        widths = light.new_tensor(self.sigmas or (self.sigma,))
        noise = UNEXPLAINED * noise_level(frames.float()).flatten()
        least = missing.amin(dim=0)
        enough = torch.maximum(least, torch.hypot(MISFIT * light.amax((1, 2, 3)), noise))
        best = torch.where(missing <= enough, widths[:, None], 0).argmax(dim=0)
        return grids[best, torch.arange(len(light), device=light.device)], widths[best]

    def _iterate(self, light: Tensor, optics: Any) -> tuple[Tensor, Tensor]:
        """Grids for one width, and the error (N,) that they leave, as the rms of a pixel."""
        seen = optics.spread(torch.ones_like(light[:1]))  # the share of each cell that is seen
        grid = light.mean((-2, -1), keepdim=True).expand(-1, -1, self.grid, self.grid)
        grid = grid / self.factor**2
        given = light + self.offset
        for _ in range(self.iterations):
            shown = optics.measure(grid) + (self.offset + DARK)
            grid = grid / seen * optics.spread(given / shown)
        return grid, (light - optics.measure(grid)).square().mean((1, 2, 3)).sqrt()
