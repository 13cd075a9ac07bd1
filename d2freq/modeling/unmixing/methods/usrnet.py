"""USRNet: exact data steps and a learned denoiser in turn (Zhang, Van Gool, Timofte 2020).

Half-quadratic splitting: ``x = argmin |y - Phi x|^2 + alpha |x - z|^2``, then z = denoiser(x).
Shapes as in base.py; here N = B * F frames, values in intensities of a target.
"""

from typing import Any

import torch
import torch.nn.functional as F
from detectron2.config import configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor, nn

from d2freq.modeling.registration import register
from d2freq.modeling.unmixing.methods.config import arguments_of
from d2freq.modeling.unmixing.methods.res_unet import ResUNet
from d2freq.modeling.unmixing.optics import Optics
from d2freq.modeling.unmixing.single_frame import ScaledModel
from d2freq.modeling.unmixing.units import INTENSITY, noise_level

__all__ = ["USRNet"]

LEAST = 1e-6  # weight of a data step or denoiser
FIRST = 0.1  # what both start as; the optics' eigenvalues are 0.05 to 8.6
LEVEL = 10.0 / INTENSITY  # noise of 10 grey levels is 1 to the network of the weights


@register(META_ARCH_REGISTRY)
class USRNet(ScaledModel):
    """Eight data steps, and one U-Net for all of them: 1,068,736 parameters.

    What is different from the published code (49.25 CSO-mAP, all of it the U-Net's):

    * The data step solves the camera's own equation. Published was a circular convolution with a
      spot of a third of its width, a third of a pixel off and without the light that a pixel
      collects: it leaves 0.89 of the frame unexplained, the optics 0.14.
    * It is exact by the axes of the optics (d2freq.ops.separable), without Fourier transform or
      border, in batches of any size.
    * The weights alpha and beta follow from the noise that is estimated in each frame. Published
      were a network of 5,392 weights and a constant noise of 0 at its input.
    * The start is the data step from an empty grid, and the U-Net adds to its input. Odd sides
      are padded with darkness on the way down; there a grid of 32 cells is stretched to 33.
    """

    needs_q_init = False

    @configurable
    def __init__(
        self,
        *,
        iterations: int = 8,
        channels: tuple[int, ...] = (16, 32, 64, 128),
        blocks: int = 2,
        hyper_channels: int = 64,
        **optics: Any,
    ) -> None:
        """See MODEL.USRNET in keys/unfolding.py.

        Args:
            iterations: pairs of a data step and the denoiser.
            channels: of the denoiser's levels.
            blocks: residual blocks a level, going down and coming up.
            hyper_channels: of the network that gives the weights.
            **optics: of :class:`UnmixingModel`.
        """
        super().__init__(**optics)
        self.iterations = iterations
        self.optics = Optics(self.size, self.factor, self.sigma)
        self.denoiser = ResUNet(2, 1, channels, blocks)
        self.hyper = nn.Sequential(
            nn.Conv2d(2, hyper_channels, 1),
            nn.ReLU(),
            nn.Conv2d(hyper_channels, hyper_channels, 1),
            nn.ReLU(),
            nn.Conv2d(hyper_channels, 2 * iterations, 1),
        )
        last = self.hyper[-1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.zeros_(last.weight)
        # softplus of it is FIRST
        nn.init.constant_(last.bias, torch.expm1(torch.tensor(FIRST, device="cpu")).log().item())

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """MODEL.USRNET and MODEL.UNMIXING."""
        return {**super().from_config(cfg), **arguments_of(cfg, "USRNET")}

    def unmix(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) -> (N, 1, g, g)."""
        alphas, betas = self.weights(frames).chunk(2, dim=1)
        grid = frames.new_zeros(len(frames), 1, self.grid, self.grid)
        for number in range(self.iterations):
            alpha, beta = (each[:, number : number + 1] for each in (alphas, betas))
            grid = self.optics.nearest(grid, frames, alpha)
            level = beta.to(grid).expand_as(grid)
            grid = grid + self.denoiser(torch.cat([grid, level], dim=1))
        return grid

    def weights(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) frames -> alphas and betas of the iterations, (N, 2 * iterations, 1, 1)."""
        noise = noise_level(frames) / LEVEL
        known = torch.cat([noise, torch.full_like(noise, self.factor)], dim=1)
        return F.softplus(self.hyper(known).float()) + LEAST
