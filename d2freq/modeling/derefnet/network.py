"""DeRefNet's two networks: the unfolded iterations, and the tail behind the alignment.

The iterations turn a frame into a sparse grid (DeRefNet, Eqs. 7 to 15). Every frame passes once,
whatever the number of windows it lies in: the stages know nothing of time. The tail turns a centre
frame and its aligned neighbours into one grid (Fig. 4).

Shape shorthand: N frames; M windows, W frames of each, C channels, g x g grid.
"""

from collections.abc import Iterator
from typing import cast

import torch
from torch import Tensor, nn

from d2freq.modeling.unmixing.blocks import relu_conv3x3, residual_blocks
from d2freq.modeling.unmixing.stages import IstaNetStage

__all__ = ["ResidualFeatures", "Tail", "Unfolding"]


class Unfolding(nn.Module):
    """K stages of ISTA-Net with weights of their own: 19,010 parameters a stage.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.derefnet import Unfolding
        >>> network = Unfolding(stages=2, channels=4)
        >>> x, residuals = network(torch.zeros(3, 1, 6, 6), torch.eye(36), torch.rand(3, 36))
        >>> tuple(x.shape), len(residuals)
        ((3, 1, 6, 6), 2)
    """

    def __init__(self, stages: int = 9, channels: int = 32) -> None:
        super().__init__()
        self.stages = nn.ModuleList(IstaNetStage(channels) for _ in range(stages))

    def forward(self, x: Tensor, gram: Tensor, back: Tensor) -> tuple[Tensor, list[Tensor]]:
        """All iterations, and how far each stage's inverse is from inverting its own estimate.

        Args:
            x: (N, 1, g, g), Q_init's estimate in grey levels.
            gram: (g*g, g*g), Phi^T Phi.
            back: (N, g*g), y Phi.

        Returns:
            H^(K) (N, 1, g, g), and K residuals (N, 1, g, g) of inverse(transform(R_k)) - R_k.
        """
        residuals = []
        for stage in self.each():
            x, residual = stage(x, gram, back)
            residuals.append(residual)
        return x, residuals

    def estimate(self, x: Tensor, gram: Tensor, back: Tensor) -> Tensor:
        """H^(K) alone, without the third of the work that the residuals cost."""
        for stage in self.each():
            x = stage.estimate(x, gram, back)
        return x

    def inversion_errors(self, images: Tensor) -> list[Tensor]:
        """(N, 1, g, g) -> K residuals of inverse(transform(images)) - images; Eq. 22."""
        return [stage.inverse(stage.transform(images)) - images for stage in self.each()]

    def each(self) -> Iterator[IstaNetStage]:
        """The stages in their order."""
        return (cast(IstaNetStage, stage) for stage in self.stages)


class ResidualFeatures(nn.Module):
    """Residual blocks on Q_init's estimate in the place of the stages; 167,072 parameters with 9.

    The baseline of Table 2, on the grid: TDAN, which stands there in the paper, also differs in
    that its features are of pixels. Like a stage's estimate the result is a grid in grey levels.
    """

    def __init__(self, blocks: int = 9, channels: int = 32) -> None:
        super().__init__()
        self.stem = relu_conv3x3(1, channels)
        self.blocks = residual_blocks(channels, blocks)
        self.head = nn.Conv2d(channels, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor, gram: Tensor, back: Tensor) -> tuple[Tensor, list[Tensor]]:
        """As of :class:`Unfolding`, whose arguments it takes; there is no inverse, no residual."""
        return self.estimate(x, gram, back), []

    def estimate(self, x: Tensor, gram: Tensor, back: Tensor) -> Tensor:
        """(N, 1, g, g) -> (N, 1, g, g); neither Phi^T Phi nor y Phi is read."""
        return x + self.head(self.blocks(torch.relu(self.stem(x))))

    def inversion_errors(self, images: Tensor) -> list[Tensor]:
        """None."""
        return []


class Tail(nn.Module):
    """Convolution, residual blocks, convolution to one channel; no skip around it, no clamp.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.derefnet import Tail
        >>> tuple(Tail(frames=5, channels=4, blocks=1)(torch.randn(2, 5, 6, 6)).shape)
        (2, 6, 6)
    """

    def __init__(self, frames: int = 5, channels: int = 32, blocks: int = 5) -> None:
        super().__init__()
        self.stem = relu_conv3x3(frames, channels)
        self.blocks = residual_blocks(channels, blocks)
        self.head = nn.Conv2d(channels, 1, 3, padding=1, bias=False)

    def forward(self, window: Tensor) -> Tensor:
        """(M, W, g, g) in temporal order -> (M, g, g) float32 in grey levels.

        The head runs in float32 also inside autocast: with 16 bits many cells of a frame, and many
        frames, would share a score.
        """
        x = self.blocks(torch.relu(self.stem(window)))
        with torch.autocast(x.device.type, enabled=False):
            return self.head(x.float()).squeeze(1)
