"""Discriminators, which tell grids that a generator made from true ones.

Shapes: N grids of g x g cells.
"""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from d2freq.errors import UserError

__all__ = ["CellDiscriminator", "GridDiscriminator"]

SLOPE = 0.2
HALVINGS = 5
HIDDEN = 100


class GridDiscriminator(nn.Module):
    """One logit a grid, behind five halvings; 13,730,249 parameters at 64 channels, 33 x 33 cells.

    (N, 1, g, g) -> (N, 1).
    """

    def __init__(self, channels: int, cells: int) -> None:
        """Set up the layers.

        Args:
            channels: of the first layers; they double three times.
            cells: a side of the grid, g.

        Raises:
            UserError: a grid that cannot be halved five times.
        """
        super().__init__()
        left = cells >> HALVINGS
        if left < 1:
            raise UserError(
                f"a grid of {cells} x {cells} cells is too small for a discriminator that halves "
                f"it {HALVINGS} times: take MODEL.UNMIXING.SIZE and FACTOR of 32 cells or more, or "
                "ADVERSARIAL_WEIGHT 0"
            )
        layers: list[nn.Module] = [
            nn.Conv2d(1, channels, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            *_normed(channels, channels, halve=True),
        ]
        wide = channels
        for number in range(1, HALVINGS):
            deep = channels * min(2**number, 8)
            layers += [*_normed(wide, deep, halve=False), *_normed(deep, deep, halve=True)]
            wide = deep
        self.features = nn.Sequential(*layers)
        self.judge = nn.Sequential(
            nn.Flatten(),
            nn.Linear(wide * left**2, HIDDEN),
            nn.LeakyReLU(SLOPE),
            nn.Linear(HIDDEN, 1),
        )

    def forward(self, grids: Tensor) -> Tensor:
        if self.training and len(grids) < 2:
            raise UserError(
                "a step of one frame has nothing to norm in a discriminator with batch norm: take "
                "longer trajectories, or SOLVER.IMS_PER_BATCH 2"
            )
        return self.judge(self.features(grids))


def _normed(inputs: int, outputs: int, *, halve: bool) -> list[nn.Module]:
    kernel, stride = (4, 2) if halve else (3, 1)
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=1, bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.LeakyReLU(SLOPE)]


class CellDiscriminator(nn.Module):
    """A logit for each cell: a U-Net of convolutions with spectral norm; 4,375,745 parameters.

    (N, 1, g, g) -> (N, 1, g, g).
    """

    def __init__(self, channels: int) -> None:
        """Set up the layers; ``channels`` of the first level, doubled three times."""
        super().__init__()
        widths = [channels * 2**number for number in range(4)]
        self.first = nn.Conv2d(1, channels, 3, padding=1)
        self.downs = nn.ModuleList(
            _spectral(wide, deep, halve=True)
            for wide, deep in zip(widths, widths[1:], strict=False)
        )
        self.ups = nn.ModuleList(
            _spectral(deep, wide, halve=False)
            for wide, deep in reversed(list(zip(widths, widths[1:], strict=False)))
        )
        self.fine = nn.ModuleList(_spectral(channels, channels, halve=False) for _ in range(2))
        self.last = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, grids: Tensor) -> Tensor:
        x = F.leaky_relu(self.first(grids), SLOPE)
        levels = []
        for down in self.downs:
            levels.append(x)
            x = F.leaky_relu(down(x), SLOPE)
        for up in self.ups:
            across = levels.pop()
            x = F.interpolate(x, size=across.shape[-2:], mode="bilinear")
            x = F.leaky_relu(up(x), SLOPE) + across
        for conv in self.fine:
            x = F.leaky_relu(conv(x), SLOPE)
        return self.last(x)


def _spectral(inputs: int, outputs: int, *, halve: bool) -> nn.Module:
    kernel, stride = (4, 2) if halve else (3, 1)
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=1, bias=False)
    return spectral_norm(conv)
