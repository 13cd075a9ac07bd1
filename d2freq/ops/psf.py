"""The optics of an infrared sensor: a Gaussian spot, integrated over square pixels in closed form.

Shape shorthand: m pixels a side, c grid cells per pixel and axis, g = c*m grid cells a side, K
targets.

Coordinates, here and wherever targets are spoken of: the first is the row, the second the column,
in pixels; pixel i has its centre at i and reaches from i - 1/2 to i + 1/2. The grid splits a pixel
into c x c cells; cell k of an axis lies at (k - (c-1)//2) / c, so that with c = 3 the middle cell
of a pixel lies on its centre. Everything is flattened row by row.

A target of intensity a at (x, y) sends a * m(i, x) * m(j, y) into pixel (i, j), with
m(p, t) = Phi((p + 1/2 - t) / sigma) - Phi((p - 1/2 - t) / sigma) and Phi the normal distribution's
cumulative function. That is the double integral of DeRefNet, Eqs. 2 and 3, without quadrature.
"""

import math

import torch
from torch import Tensor

__all__ = [
    "grid_to_pixel",
    "pixel_response",
    "pixel_slope",
    "pixel_to_grid",
    "render",
    "sampling_factor",
    "sampling_matrix",
]


def grid_to_pixel(index: Tensor, factor: int = 3) -> Tensor:
    """Pixel coordinates of grid cells: (k - (c-1)//2) / c, of any shape.

    Args:
        index: row or column numbers of cells, whole or not; integers give the default dtype.
    """
    return (index - (factor - 1) // 2) / factor


def pixel_to_grid(position: Tensor, factor: int = 3) -> Tensor:
    """Nearest grid cell of pixel coordinates, int64, of any shape; halves go to the even cell.

    Cells outside the grid are returned as they are: whoever writes into a grid asks first.
    """
    return torch.round(factor * position + (factor - 1) // 2).to(torch.int64)


def pixel_response(positions: Tensor, size: int, sigma: float = 0.5) -> Tensor:
    """Share of a target's energy that falls between the borders of each pixel of one axis.

    Args:
        positions: (...) floating, one coordinate of each target in pixels.
        size: pixels along the axis, m.
        sigma: standard deviation of the spot in pixels (DeRefNet, section 3).

    Returns:
        (..., m) in the dtype of ``positions``; sums to less than 1 where energy leaves the frame.

    Raises:
        ValueError: ``size`` below 1 or ``sigma`` not above 0.
    """
    if size < 1 or not sigma > 0:
        raise ValueError(f"size={size}, sigma={sigma}: a frame has pixels, a spot has a width")
    borders = torch.arange(size + 1, dtype=positions.dtype, device=positions.device) - 0.5
    reached = torch.erf((borders - positions[..., None]) / (sigma * math.sqrt(2))) / 2
    return reached[..., 1:] - reached[..., :-1]


def pixel_slope(positions: Tensor, size: int, sigma: float = 0.5) -> Tensor:
    """Derivative of :func:`pixel_response` by the position, of the same shape, 1 / pixel."""
    borders = torch.arange(size + 1, dtype=positions.dtype, device=positions.device) - 0.5
    away = (borders - positions[..., None]) / sigma
    density = torch.exp(-away.square() / 2) / (sigma * (2 * torch.pi) ** 0.5)
    return density[..., :-1] - density[..., 1:]


def render(positions: Tensor, intensities: Tensor, *, size: int = 11, sigma: float = 0.5) -> Tensor:
    """Frames of point targets, without noise; light adds up.

    Args:
        positions: (..., K, 2) floating, (row, column) in pixels; a target outside the frame still
            lights what its spot reaches.
        intensities: (..., K) energy of each target, in the units of the frame; 0 for none.

    Returns:
        (..., m, m) in the dtype of ``positions``.

    Raises:
        ValueError: as in :func:`pixel_response`.

    Examples:
        >>> import torch
        >>> from d2freq.ops.psf import render
        >>> frame = render(torch.tensor([[5.0, 5.0], [5.4, 5.0]]), torch.tensor([200.0, 200.0]))
        >>> tuple(frame.shape), round(float(frame.sum()), 2)
        ((11, 11), 400.0)
    """
    rows = pixel_response(positions[..., 0], size, sigma) * intensities[..., None]
    columns = pixel_response(positions[..., 1], size, sigma)
    return rows.mT @ columns


def sampling_factor(
    size: int = 11, factor: int = 3, sigma: float = 0.5, dtype: torch.dtype = torch.float64
) -> Tensor:
    """(m, g) matrix A: what a target on each cell of an axis sends into each pixel of that axis.

    Raises:
        ValueError: as in :func:`pixel_response`, or ``factor`` below 1.
    """
    if factor < 1:
        raise ValueError(f"factor={factor}: a pixel holds at least one grid cell an axis")
    cells = torch.arange(factor * size, dtype=torch.float64)
    return pixel_response(grid_to_pixel(cells, factor), size, sigma).mT.to(dtype).contiguous()


def sampling_matrix(
    size: int = 11, factor: int = 3, sigma: float = 0.5, dtype: torch.dtype = torch.float64
) -> Tensor:
    """(m*m, g*g) matrix Phi of DeRefNet, Eq. 4: flattened grid to flattened frame, kron(A, A).

    Raises:
        ValueError: as in :func:`sampling_factor`.

    Examples:
        >>> from d2freq.ops.psf import sampling_matrix
        >>> tuple(sampling_matrix(size=11, factor=3).shape)
        (121, 1089)
    """
    axis = sampling_factor(size, factor, sigma)  # multiplied in float64, rounded once
    return torch.kron(axis, axis).to(dtype)
