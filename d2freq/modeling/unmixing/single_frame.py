"""Methods that look at one frame at a time: all centre frames of all trajectories in one batch.

Shapes as in base.py; here N = B * F frames.
"""

import torch.nn.functional as F
from torch import Tensor

from d2freq.errors import UserError
from d2freq.modeling.unmixing.base import UnmixingModel

__all__ = ["SingleFrameModel", "TrainingFreeModel"]


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
