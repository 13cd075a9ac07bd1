"""The three losses of DeRefNet in the paper's reading and the published code's (Eqs. 22 to 25).

Shape shorthand: B trajectories, F windows (centre frames) of each, 2N neighbours of each, g x g
grid. All are means over trajectories, so that a batch of B has the gradient of B steps' mean. The
constraint loss is d2freq.modeling.unmixing.stages.squared_error of the residuals.
"""

from torch import Tensor

__all__ = ["ALIGN_REDUCTIONS", "REGRESSION_REDUCTIONS", "alignment_loss", "regression_loss"]

REGRESSION_REDUCTIONS = ("windows", "cells")
ALIGN_REDUCTIONS = ("sum", "mean")


def regression_loss(grids: Tensor, targets: Tensor, reduction: str) -> Tensor:
    """Squared error of the unmixed grids.

    Args:
        grids: (B, F, g, g) in grey levels.
        targets: (B, F, g, g), the centre frames' truth.
        reduction: "windows" sums the windows' means over the cells (published code); "cells" is
            the mean over the windows of their sums over the cells (Eq. 24).

    Examples:
        >>> import torch
        >>> from d2freq.modeling.derefnet import regression_loss
        >>> grids, targets = torch.ones(2, 4, 3, 3), torch.zeros(2, 4, 3, 3)
        >>> [float(regression_loss(grids, targets, way)) for way in ("windows", "cells")]
        [4.0, 9.0]
    """
    squares = (grids.float() - targets.float()).square()
    if reduction == "windows":
        return squares.mean(dim=(-2, -1)).sum(dim=1).mean()
    return squares.sum(dim=(-2, -1)).mean()


def alignment_loss(aligned: Tensor, reference: Tensor, reduction: str) -> Tensor:
    """Absolute difference of the aligned neighbours from their centre frame.

    Args:
        aligned: (B, F, 2N, g, g), H''.
        reference: (B, F, 1, g, g), the centre frame's own map; gradients flow into it too.
        reduction: "sum" over windows, neighbours and cells (published code); "mean" is the mean
            over windows and neighbours of the sum over the cells (Eq. 23).
    """
    distances = (aligned.float() - reference.float()).abs().sum(dim=(-2, -1))
    return distances.sum(dim=(1, 2)).mean() if reduction == "sum" else distances.mean()
