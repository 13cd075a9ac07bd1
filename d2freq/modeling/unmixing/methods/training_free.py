"""Methods without anything to learn: ISTA, FISTA, and Q_init alone.

FISTA is ISTA with momentum, to the same minimum in far fewer iterations. Q_init's linear
least-squares estimate is what the unfolded networks start from.
"""

from typing import Any, Literal

import torch
from detectron2.config import configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor

from d2freq.errors import UserError
from d2freq.modeling.registration import register
from d2freq.modeling.unmixing.config import unmixing_arguments
from d2freq.modeling.unmixing.methods.config import keys_of
from d2freq.modeling.unmixing.single_frame import TrainingFreeModel
from d2freq.ops.shrinkage import sparse_solution
from d2freq.utils.choices import choice

__all__ = ["FISTA", "ISTA", "LeastSquares"]


STARTS = ("pinv", "q_init", "zeros")


@register(META_ARCH_REGISTRY)
class ISTA(TrainingFreeModel):
    """Iterative shrinkage-thresholding with Phi, see d2freq.ops.shrinkage; no parameters.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.unmixing import ISTA
        >>> from d2freq.ops.psf import render
        >>> frame = render(torch.tensor([[5.0, 5.0]]), torch.tensor([230.0]))
        >>> grid = ISTA(start="zeros", iterations=50).estimate(frame[None, None])
        >>> tuple(grid.shape), divmod(int(grid.argmax()), 33)  # cell 16 lies at pixel 5
        ((1, 1, 33, 33), (16, 16))
    """

    accelerated = False
    pinv: Tensor

    @configurable
    def __init__(
        self,
        *,
        penalty: float = 1.0,
        iterations: int = 3000,
        tolerance: float = 1e-4,
        start: Literal["pinv", "q_init", "zeros"] = "pinv",
        nonnegative: bool = False,
        **optics: Any,
    ) -> None:
        """See MODEL.ISTA in config.py.

        Args:
            penalty: weight of the L1 norm, in grey levels, above or at 0.
            iterations: at most so many for a frame, at least 1.
            tolerance: a frame is done once a step is no longer than this, in grey levels.
            start: the first estimate, "pinv" (Phi's pseudo-inverse), "q_init" or "zeros".
            nonnegative: intensities below zero are not allowed.
            **optics: of :class:`UnmixingModel`; ``q_init`` is needed with start "q_init" alone.

        Raises:
            UserError: a value outside its range.
        """
        choice(start, STARTS, key="MODEL.ISTA.START")
        if penalty < 0 or iterations < 1 or tolerance < 0:
            raise UserError(
                f"MODEL.ISTA: PENALTY {penalty} and TOLERANCE {tolerance} are at least 0, "
                f"ITERATIONS {iterations} at least 1"
            )
        self.needs_q_init = start == "q_init"
        super().__init__(**optics)
        self.penalty, self.iterations, self.tolerance = penalty, iterations, tolerance
        self.start, self.nonnegative = start, nonnegative
        if start == "pinv":
            pinv = torch.linalg.pinv(self.phi.double()).float()
            self.register_buffer("pinv", pinv, persistent=False)

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """MODEL.ISTA and MODEL.UNMIXING."""
        keys = keys_of(cfg, "ISTA")
        return {
            **unmixing_arguments(cfg, needs_q_init=keys.START == "q_init"),
            "penalty": keys.PENALTY,
            "iterations": keys.ITERATIONS,
            "tolerance": keys.TOLERANCE,
            "start": keys.START,
            "nonnegative": keys.NONNEGATIVE,
        }

    def estimate(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) frames -> (N, 1, g, g) grids, float32 also inside autocast."""
        with torch.autocast(frames.device.type, enabled=False):
            y = frames.flatten(1).float()
            if self.start == "zeros":
                first = y.new_zeros(len(y), self.grid**2)
            else:
                first = y @ (self.pinv if self.start == "pinv" else self.q_init).T
            x, _ = sparse_solution(
                y,
                self.phi,
                first,
                penalty=self.penalty,
                accelerated=self.accelerated,
                nonnegative=self.nonnegative,
                iterations=self.iterations,
                tolerance=self.tolerance,
            )
        return x.reshape(-1, 1, self.grid, self.grid)


@register(META_ARCH_REGISTRY)
class FISTA(ISTA):
    """See :class:`ISTA`, whose keys and arguments it takes."""

    accelerated = True


@register(META_ARCH_REGISTRY)
class LeastSquares(TrainingFreeModel):
    """``x = y Q^T``, Q fitted to the training data (DeRefNet, Eqs. 5 and 6); no parameters.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.unmixing import LeastSquares
        >>> model = LeastSquares(q_init=torch.zeros(1089, 121)).eval()
        >>> tuple(model([{"frames": torch.rand(5, 1, 11, 11)}])[0]["grid"].shape)
        (1, 33, 33)
    """

    def estimate(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) frames -> (N, 1, g, g) grids."""
        return self.initial(frames)
