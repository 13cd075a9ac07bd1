"""Q_init alone: the linear least-squares estimate that the unfolded networks start from."""

from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor

from d2freq.modeling.unmixing.single_frame import TrainingFreeModel

__all__ = ["LeastSquares"]


@META_ARCH_REGISTRY.register()
class LeastSquares(TrainingFreeModel):
    """``x = y Q^T``, Q fitted to the training data (DeRefNet, Eqs. 5 and 6); no parameters."""

    def estimate(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) frames -> (N, 1, g, g) grids."""
        return self.initial(frames)
