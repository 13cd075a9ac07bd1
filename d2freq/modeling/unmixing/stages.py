"""The stage of ISTA-Net, on which DeRefNet stands too, and what unfolded networks share.

An iteration of ISTA is a gradient step on the measurement, then a shrinkage. A stage learns the
step, the transform in which it shrinks, and the threshold.

Shapes: N frames, g x g grid, C channels.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from d2freq.ops.shrinkage import soft_threshold

__all__ = ["IstaNetStage", "conv3x3", "gradient_step", "squared_error"]


def gradient_step(x: Tensor, gram: Tensor, back: Tensor, step: Tensor | float) -> Tensor:
    """``x - step * (x Phi^T Phi - y Phi)``: one step down ``|y - x Phi^T|^2 / 2``.

    Args:
        x: (N, 1, g, g), the estimate, in grey levels.
        gram: (g*g, g*g), Phi^T Phi.
        back: (N, g*g), y Phi, the measurement seen from the grid.
        step: the step width.

    Returns:
        (N, 1, g, g), float32 also inside autocast: the two products nearly cancel, and their
        difference would drown in the rounding of 16 bits.
    """
    with torch.autocast(x.device.type, enabled=False):
        flat = x.flatten(1).to(gram.dtype)
        return (flat - step * (flat @ gram - back)).reshape(x.shape)


def conv3x3(inputs: int, outputs: int, *, bias: bool = False) -> nn.Conv2d:
    """Size-keeping 3 x 3 convolution, Xavier-normal at the start, its bias zero."""
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)
    nn.init.xavier_normal_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def squared_error(residuals: Sequence[Tensor]) -> Tensor:
    """Sum over the stages of the mean square of a stage's residual; a scalar."""
    return torch.stack([residual.float().square().mean() for residual in residuals]).sum()


class IstaNetStage(nn.Module):
    """One stage of ISTA-Net (Zhang and Ghanem 2018): 19,010 parameters at 32 channels.

    The transform (conv, ReLU, conv) shrinks in C channels, and the inverse (conv, ReLU, conv)
    leads back to the grid; there is no skip connection. Step and threshold are free scalars.
    """

    def __init__(self, channels: int = 32, *, step: float = 0.5) -> None:
        """Set up the weights; ``step`` is the first width of the gradient step."""
        super().__init__()
        self.step = nn.Parameter(torch.tensor(step))
        self.threshold = nn.Parameter(torch.tensor(0.01))
        self.transform = nn.Sequential(conv3x3(1, channels), nn.ReLU(), conv3x3(channels, channels))
        self.inverse = nn.Sequential(conv3x3(channels, channels), nn.ReLU(), conv3x3(channels, 1))

    def forward(self, x: Tensor, gram: Tensor, back: Tensor) -> tuple[Tensor, Tensor]:
        """One iteration and how far the inverse is from inverting.

        Args:
            x: (N, 1, g, g), the estimate so far.
            gram: (g*g, g*g), Phi^T Phi.
            back: (N, g*g), y Phi.

        Returns:
            The next estimate (N, 1, g, g), and the residual (N, 1, g, g) of inverse(transform(r))
            against r, the estimate after the gradient step: the constraint loss wants it zero.
        """
        start = gradient_step(x, gram, back, self.step)
        features = self.transform(start)
        estimate = self.inverse(soft_threshold(features, self.threshold))
        return estimate, self.inverse(features) - start

    def estimate(self, x: Tensor, gram: Tensor, back: Tensor) -> Tensor:
        """The next estimate alone, for inference: the residual costs half as much again."""
        features = self.transform(gradient_step(x, gram, back, self.step))
        return self.inverse(soft_threshold(features, self.threshold))
