"""The unfolded iterations that turn a frame into a sparse grid (DeRefNet, Eqs. 7 to 15).

Shape shorthand: N frames, g x g grid. Every frame passes once, whatever the number of windows it
lies in: the stages know nothing of time.
"""

from collections.abc import Iterator
from typing import cast

from torch import Tensor, nn

from d2freq.modeling.unmixing.stages import IstaNetStage

__all__ = ["Unfolding"]


class Unfolding(nn.Module):
    """K stages of ISTA-Net with weights of their own: 19,010 parameters a stage."""

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
