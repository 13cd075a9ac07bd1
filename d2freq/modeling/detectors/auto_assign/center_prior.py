"""The centre prior of AutoAssign: where the points of a class's objects lie.

Source: Zhu et al., 2020, "AutoAssign: Differentiable Label Assignment for Dense Object Detection",
Sec. 3.3, Eq. 3.

Shape shorthand: P pairs of a point and an object, K classes, L levels, N objects.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from d2freq.modeling.detectors.dense.cells import Grid, window

__all__ = ["CenterPrior"]


class CenterPrior(nn.Module):
    """A Gaussian of each class around an object's centre, in strides of the level, and learned.

    Args:
        num_classes: K.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.detectors.auto_assign import CenterPrior
        >>> prior = CenterPrior(num_classes=3)
        >>> offsets = torch.tensor([[0.0, 0.0], [8.0, 0.0]])
        >>> prior(offsets, torch.tensor([8.0, 8.0]), torch.tensor([2, 2])).tolist()
        [1.0, 0.6065306663513184]
    """

    def __init__(self, *, num_classes: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(num_classes, 2))
        self.sigma = nn.Parameter(torch.ones(num_classes, 2))

    def forward(self, offsets: Tensor, strides: Tensor, classes: Tensor) -> Tensor:
        """G of each pair, (P,) in [0, 1].

        Args:
            offsets: (P, 2) pixels from the object's centre to the point.
            strides: (P,) of the point's level.
            classes: (P,) int64, of the object.
        """
        return torch.exp(-self._exponents(offsets / strides[:, None], classes).sum(dim=1))

    def _exponents(self, steps: Tensor, classes: Tensor) -> Tensor:
        """Of each axis; (P, 2), from steps (P, 2) in strides."""
        spread = 2 * self.sigma[classes].square()
        return (steps - self.mean[classes]).square() / spread

    @torch.no_grad()
    def highest(
        self, centres: Tensor, classes: Tensor, grids: Sequence[Grid], k: int
    ) -> tuple[Tensor, Tensor]:
        """The k points of highest prior of each object, over all levels, of equal ones the first.

        Args:
            centres: (N, 2) pixels.
            classes: (N,) int64.

        Returns:
            Points (P,) and objects (P,), indices; points count over all levels.
        """
        exponents, points, first = [], [], 0
        for grid in grids:
            middle = centres + self.mean[classes] * grid.stride
            columns, rows = window(middle, grid, k)
            across, down = (
                (places * grid.stride - middle[:, axis, None]) / grid.stride
                for axis, places in enumerate((columns, rows))
            )
            spread = 2 * self.sigma[classes].square()
            across, down = across.square() / spread[:, :1], down.square() / spread[:, 1:]
            exponents.append((down[:, :, None] + across[:, None]).flatten(1))
            points.append((rows[:, :, None] * grid.width + columns[:, None]).flatten(1) + first)
            first += grid.cells
        order = torch.cat(exponents, dim=1).sort(dim=1, stable=True).indices[:, :k]
        found = torch.cat(points, dim=1).gather(1, order)
        objects = torch.arange(len(centres), device=centres.device)
        return found.flatten(), objects.repeat_interleave(found.shape[1])
