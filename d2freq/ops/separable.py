"""Measurements that factor by axis: what Phi = kron(A, A) makes cheap, and an exact data step.

A grid X is seen as the frame A X A^T. With A A^T = U diag(w) U^T, Phi Phi^T is diagonal among the
products of U's columns, so that what costs a solution of m*m equations elsewhere is a division
here. For 11 x 11 pixels and 33 x 33 cells a product with Phi is 16 thousand multiply-adds in the
place of 132 thousand.

Shape shorthand: m pixels a side, g grid cells a side; (...) any leading dimensions.
"""

import torch
from torch import Tensor

__all__ = ["measure", "modes", "nearest_consistent", "spread"]


def measure(grids: Tensor, axis: Tensor) -> Tensor:
    """Phi x: grids (..., g, g) through the optics ``axis`` (m, g) -> frames (..., m, m)."""
    return axis @ grids @ axis.mT


def spread(frames: Tensor, axis: Tensor) -> Tensor:
    """Phi^T y: frames (..., m, m) as the grid sees them, ``axis`` (m, g) -> (..., g, g)."""
    return axis.mT @ frames @ axis


def modes(axis: Tensor) -> tuple[Tensor, Tensor]:
    """The modes of the optics along an axis.

    Args:
        axis: (m, g), A.

    Returns:
        The eigenvalues of A A^T, ascending (m,), and its eigenvectors as columns (m, m).

    Examples:
        >>> from d2freq.ops.psf import sampling_factor
        >>> from d2freq.ops.separable import modes
        >>> values, _ = modes(sampling_factor(size=11, factor=3))
        >>> [round(float(value), 4) for value in values[[0, -1]]]
        [0.2333, 2.9303]
    """
    values, vectors = torch.linalg.eigh(axis @ axis.mT)
    return values, vectors


def nearest_consistent(
    grids: Tensor,
    frames: Tensor,
    axis: Tensor,
    values: Tensor,
    vectors: Tensor,
    weight: Tensor | float,
) -> Tensor:
    """The exact minimum over x of ``|y - Phi x|^2 + weight * |x - z|^2``.

    x = z + A^T U [U^T (y - A z A^T) U / (w_i w_j + weight)] U^T A: six small products, no Fourier
    transform, nothing assumed of what lies beyond the border.

    Args:
        grids: (..., g, g), z.
        frames: (..., m, m), y.
        axis: (m, g), A.
        values, vectors: of :func:`modes`.
        weight: above 0; a tensor has to broadcast against (..., m, m).

    Returns:
        (..., g, g).

    Examples:
        >>> import torch
        >>> from d2freq.ops.psf import render, sampling_factor
        >>> from d2freq.ops.separable import measure, modes, nearest_consistent
        >>> axis = sampling_factor(dtype=torch.float32)
        >>> frame = render(torch.tensor([[5.0, 5.0]]), torch.tensor([230.0]))
        >>> grid = nearest_consistent(torch.zeros(33, 33), frame, axis, *modes(axis), 1e-4)
        >>> bool((measure(grid, axis) - frame).abs().max() < 0.1)
        True
    """
    missing = vectors.mT @ (frames - measure(grids, axis)) @ vectors
    missing = missing / (values[:, None] * values + weight)
    return grids + spread(vectors @ missing @ vectors.mT, axis)
