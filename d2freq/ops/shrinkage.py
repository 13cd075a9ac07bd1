"""Sparse solutions of a linear measurement: ISTA and FISTA on a batch.

    minimise  F(x) = |y - x Phi^T|^2 / 2 + penalty * |x|_1      for each row y

Shape shorthand: N rows, P pixels of a measurement, G unknowns.

Sources: ISTA as in Daubechies, Defrise and De Mol 2004; FISTA in Beck and Teboulle, "A Fast
Iterative Shrinkage-Thresholding Algorithm for Linear Inverse Problems" (2009).
"""

import math

import torch
from torch import Tensor

__all__ = ["soft_threshold", "sparse_solution"]


def soft_threshold(x: Tensor, threshold: Tensor | float) -> Tensor:
    """``sign(x) * max(|x| - threshold, 0)``, the proximal map of the L1 norm; any shape.

    Examples:
        >>> import torch
        >>> from d2freq.ops.shrinkage import soft_threshold
        >>> soft_threshold(torch.tensor([-3.0, 0.5, 2.0]), 1.0).tolist()
        [-2.0, 0.0, 1.0]
    """
    return torch.sign(x) * torch.relu(torch.abs(x) - threshold)


def sparse_solution(
    y: Tensor,
    phi: Tensor,
    start: Tensor,
    *,
    penalty: float,
    accelerated: bool = False,
    nonnegative: bool = False,
    iterations: int = 3000,
    tolerance: float = 1e-4,
) -> tuple[Tensor, Tensor]:
    """Iterate ``x <- shrink(z - step * (z Phi^T - y) Phi, step * penalty)``, step 1 / |Phi|^2.

    A row that has come to rest leaves the batch, so that each row's result is its own, whatever
    stands beside it.

    Args:
        y: (N, P) floating, the measurements.
        phi: (P, G), of the same dtype.
        start: (N, G), the first estimate.
        penalty: weight of the L1 norm, in the units of y.
        accelerated: False: z is the last estimate (ISTA). True: with FISTA's momentum.
        nonnegative: only x >= 0 is allowed, as for intensities.
        iterations: at most so many.
        tolerance: a row rests once its step is no longer than this, as a Euclidean norm.

    Returns:
        The estimates (N, G), and how many iterations each row took, int64 (N,).

    Examples:
        >>> import torch
        >>> from d2freq.ops.shrinkage import sparse_solution
        >>> y = torch.tensor([[3.0, 0.5]])
        >>> x, taken = sparse_solution(y, torch.eye(2), torch.zeros(1, 2), penalty=1.0)
        >>> x.tolist()
        [[2.0, 0.0]]
    """
    step = 1 / torch.linalg.matrix_norm(phi, 2).square()
    result, taken = start.clone(), torch.zeros(len(y), dtype=torch.int64, device=y.device)
    rows = torch.arange(len(y), device=y.device)
    x = z = start
    momentum = 1.0
    for _ in range(iterations):
        if not len(rows):
            break
        taken[rows] += 1
        moved = z - step * ((z @ phi.T - y) @ phi)
        if nonnegative:
            new = torch.relu(moved - step * penalty)
        else:
            new = soft_threshold(moved, step * penalty)
        after = (1 + math.sqrt(1 + 4 * momentum**2)) / 2 if accelerated else 1.0
        z = new + (momentum - 1) / after * (new - x) if accelerated else new
        moving = torch.linalg.vector_norm(new - x, dim=1) > tolerance
        x, momentum = new, after
        if not moving.all():
            result[rows[~moving]] = x[~moving]
            x, z, y, rows = x[moving], z[moving], y[moving], rows[moving]
    result[rows] = x
    return result, taken
