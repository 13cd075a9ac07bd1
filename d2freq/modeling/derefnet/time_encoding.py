"""Which frame of the trajectory a grid is, as one weight in (0, 1) a cell (DeRefNet, Eqs. 16, 17).

Shape shorthand: B trajectories, T frames, g x g grid, P = g*g cells.

The paper encodes the frame's number t and learns T = sigmoid(MLP(encoding)). The published code
has t / 20 in all P inputs of one linear layer of P x P weights. Its outputs are an affine function
of t, b + (t / 20) * (sum of a row of W), so 2P numbers say as much as P * (P + 1).
"""

import torch
from torch import Tensor, nn

__all__ = ["TIME_ENCODINGS", "AffineTime", "LinearTime", "TimeEncoding", "build_time_encoding"]

TRAJECTORY = 20  # frames of a SeqCSIST trajectory, which t counts in; t = 0 is its first frame


class TimeEncoding(nn.Module):
    """Multiplies each frame's grid by its weights; a subclass says how those follow from t."""

    def forward(self, x: Tensor, first: int = 0) -> Tensor:
        """(B, T, 1, g, g) in grey levels -> H' = H * T, same shape, float32 also in autocast.

        Args:
            x: maps of T frames in a row.
            first: number of the first of them in its trajectory.
        """
        with torch.autocast(x.device.type, enabled=False):
            time = torch.arange(first, first + x.shape[1], device=x.device) / TRAJECTORY
            weights = torch.sigmoid(self.scores(time))
            return x.float() * weights.reshape(len(time), 1, *x.shape[-2:])

    def scores(self, time: Tensor) -> Tensor:
        """(T,) frame numbers over 20 -> (T, P)."""
        raise NotImplementedError


class LinearTime(TimeEncoding):
    """The published layer: P * (P + 1) parameters, 1,187,010 for 33 x 33 cells."""

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.linear = nn.Linear(cells, cells)

    def scores(self, time: Tensor) -> Tensor:
        """See :meth:`TimeEncoding.scores`."""
        return self.linear(time[:, None].expand(-1, self.linear.in_features))


class AffineTime(TimeEncoding):
    """The same functions by 2P parameters, 2,178 for 33 x 33 cells, that learn at the same pace.

    ``weight`` is the mean of a row of the linear layer's weights, of which Adam moves all alike; a
    slope is P times that, and moves as fast. (Weight decay pulls on it 1 / P as hard.)

    Examples:
        >>> import torch
        >>> from d2freq.modeling.derefnet import AffineTime
        >>> tuple(AffineTime(cells=36)(torch.randn(1, 20, 1, 6, 6)).shape)
        (1, 20, 1, 6, 6)
    """

    def __init__(self, cells: int) -> None:
        super().__init__()
        bound = cells**-0.5  # as nn.Linear: uniform in +-bound, so that a mean of P of them has
        self.weight = nn.Parameter(torch.empty(cells).normal_(std=bound / (3 * cells) ** 0.5))
        self.bias = nn.Parameter(torch.empty(cells).uniform_(-bound, bound))

    def scores(self, time: Tensor) -> Tensor:
        """See :meth:`TimeEncoding.scores`."""
        return time[:, None] * (len(self.weight) * self.weight) + self.bias


TIME_ENCODINGS = {"linear": LinearTime, "affine": AffineTime}


def build_time_encoding(kind: str, cells: int) -> nn.Module | None:
    """The encoding of that name; None for "none", which leaves the grids as they are."""
    return None if kind == "none" else TIME_ENCODINGS[kind](cells)
