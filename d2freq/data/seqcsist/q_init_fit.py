"""Q_init: the linear map from frames to the grid that fits a training split best.

Shape shorthand: F frames, m*m pixels, g*g grid cells; X (g*g, F) the ground truth, Phi (m*m, g*g).

Q = X Y^T (Y Y^T + eps I)^-1 with Y = Phi X, that is with targets moved onto their cells, as the
published code does; the frames themselves are not used. All in float64. eps = ridge * (trace of
Y Y^T) / m^2, ridge times its mean eigenvalue; the published code has none. Pixels near the border
are hardly ever lit, so that Y Y^T without it has a condition of 1e7 to 1e10, and Q answers light
or noise there with large numbers. A few trajectories leave pixels dark, and Y Y^T has no inverse:
the pseudo-inverse, which is the inverse where there is one, gives these pixels no weight.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from d2freq.data.seqcsist.grid import grid_targets
from d2freq.ops.psf import sampling_matrix
from d2freq.utils.threads import one_thread


def least_squares(
    truth: Iterable[tuple[Tensor, Tensor]],
    *,
    size: int = 11,
    factor: int = 3,
    sigma: float = 0.5,
    ridge: float = 0.0,
) -> Tensor:
    """Q_init from the targets of a training split.

    Args:
        truth: (T, K, 2) positions and (T, K) intensities of each trajectory, float64.
        ridge: see above, at least 0; 0 is the published formula.

    Returns:
        (g*g, m*m) float64; for rows of flattened frames y the grid is ``y @ Q.T``.

    Raises:
        DatasetError: a target lies outside the grid.
    """
    from scipy import sparse  # slow to import, and needed once a data set

    cells = (factor * size) ** 2
    images = [
        sparse.csr_matrix(grid_targets(*one, size=size, factor=factor).view(-1, cells).numpy())
        for one in truth
    ]
    stacked = sparse.vstack(images) if images else sparse.csr_matrix((0, cells))
    # Y Y^T = Phi (X X^T) Phi^T: the products of F frames happen between a handful of numbers each.
    gram = torch.from_numpy((stacked.T @ stacked).toarray())
    phi = sampling_matrix(size, factor, sigma)
    with one_thread():
        cross = gram @ phi.T
        normal = phi @ cross
        normal += ridge * normal.trace() / len(normal) * torch.eye(len(normal), dtype=normal.dtype)
        return (cross @ torch.linalg.pinv(normal, hermitian=True)).contiguous()
