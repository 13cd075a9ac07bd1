"""Methods that look at one frame at a time: all centre frames of all trajectories in one batch.

Shapes as in base.py; here N = B * F frames.
"""

import torch.nn.functional as F
from torch import Tensor

from d2freq.errors import UserError
from d2freq.modeling.unmixing.base import UnmixingModel
from d2freq.modeling.unmixing.units import INTENSITY

__all__ = ["ScaledModel", "SingleFrameModel", "TrainingFreeModel"]


class SingleFrameModel(UnmixingModel):
    """A subclass gives ``estimate``, and ``losses`` where there is more than the squared error."""

    needs_gram = False

    def estimate(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) frames -> (N, 1, g, g) grids, in grey levels."""
        raise NotImplementedError

    def reconstruct(self, frames: Tensor) -> Tensor:
        """(B, T, 1, m, m) -> (B, F, g, g)."""
        centres = self.centres(frames)
        return self.estimate(centres.flatten(0, 1)).reshape(
            *centres.shape[:2], self.grid, self.grid
        )

    def losses(self, frames: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Mean squared error over the centre frames and their cells."""
        grids = self.reconstruct(frames).float()
        return {"loss_reg": F.mse_loss(grids, self.centres(targets).squeeze(2).float())}


class ScaledModel(SingleFrameModel):
    """A method that counts in targets, not in grey levels: a subclass gives ``unmix``.

    Frames are divided by the intensity of a target (235 grey levels) going in, and grids multiplied
    by it coming out, so that learned thresholds, steps and biases are of the size of 1. In grey
    levels Adam at the published rate of 0.0001 moves a threshold by some 9 of 235 in the whole
    published schedule of 87,500 steps, and so it stays where it starts. The losses are in
    grey levels, as of all methods.
    """

    def unmix(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) frames -> (N, 1, g, g) grids, both in intensities of a target."""
        raise NotImplementedError

    def estimate(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) frames -> (N, 1, g, g) grids in grey levels, float32."""
        return self.unmix(frames / INTENSITY).float() * INTENSITY


class TrainingFreeModel(SingleFrameModel):
    """A method without parameters: measured as it is, never trained."""

    def losses(self, frames: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """There are none.

        Raises:
            UserError: always.
        """
        raise UserError(
            f"{type(self).__name__} has nothing to train: measure it with --eval-only, without "
            "weights"
        )
