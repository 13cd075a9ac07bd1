"""How well point targets can be known from noisy frames: Fisher information, in closed form.

Shape shorthand: K targets, T frames that are looked at together, m pixels a side, P numbers of a
joint model. Positions are (row, column) in pixels as in d2freq.ops.psf, intensities and noise in
grey levels; everything is float64 where the positions are.

A frame is the sum of its targets' spots, perhaps a plane as background, and normal noise of a known
sigma. Its information about the 3K numbers of its targets (K rows, K columns, K intensities, in
this order) is J' J / sigma^2 with J the derivatives of the pixels. No unbiased estimate has a
covariance below the inverse (Cramer and Rao). What is known before is added: 1 / sd^2 on the
diagonal for a number that is known to a standard deviation sd.

Frames that share numbers, such as a shape that stays, are linear in these: the numbers of frame t
are ``design[t] @ theta``, so that theta's information is the sum of design[t]' I_t design[t].
"""

import math

import torch
from torch import Tensor

from d2freq.ops.psf import pixel_response, pixel_slope

__all__ = [
    "MOTIONS",
    "censored_share",
    "covariance",
    "derivatives",
    "equal_area_sd",
    "joint_information",
    "planes",
    "position_covariances",
    "position_sd",
    "shared_design",
    "target_information",
]

MOTIONS = ("smooth", "free", "still")
SINGULAR = 1e-13  # eigenvalue, of a matrix with ones on its diagonal, that rounding can make


def target_information(
    positions: Tensor,
    intensities: Tensor,
    *,
    size: int = 11,
    sigma: float = 0.5,
    noise: float | Tensor = 1.0,
    plane: bool = True,
    share: Tensor | None = None,
    active: Tensor | None = None,
) -> Tensor:
    """Fisher information of the targets of single frames.

    Args:
        positions: (..., K, 2) floating.
        intensities: (..., K).
        size: pixels a side, m.
        sigma: standard deviation of the spot in pixels.
        noise: standard deviation of a pixel's noise, a number or (...), above 0.
        plane: the frame may have a plane as background, which nothing is known of.
        share: (..., m, m) in [0, 1], what each pixel gives of its information; 0 where it is
            saturated. See :func:`censored_share`. None: all give all.
        active: (..., K) bool; the others are no targets, their rows and columns are 0.

    Returns:
        (..., 3K, 3K): rows, columns, intensities.

    Examples:
        >>> import torch
        >>> from d2freq.ops.fisher import covariance, position_covariances, position_sd
        >>> from d2freq.ops.fisher import target_information
        >>> place, bright = torch.tensor([[5.0, 5.0]]).double(), torch.tensor([235.0]).double()
        >>> known = covariance(target_information(place, bright, noise=3.0))
        >>> [round(value, 4) for value in position_sd(position_covariances(known)).tolist()]
        [0.0265]
    """
    along, across = derivatives(positions, intensities, size, sigma, active)
    taken_off = planes(size, positions) if plane else []
    if share is None:
        information = (along @ along.mT) * (across @ across.mT)
        for row, column in taken_off:
            taken = (along @ row) * (across @ column)
            information = information - taken[..., :, None] * taken[..., None, :]
    else:
        pixels = (along[..., :, None] * across[..., None, :]).flatten(-2)  # (..., 3K, m*m)
        weight = share.to(pixels).flatten(-2)[..., None, :]
        information = (pixels * weight) @ pixels.mT
        if taken_off:
            flat = torch.stack([torch.outer(row, column).flatten() for row, column in taken_off])
            mixed = (pixels * weight) @ flat.mT
            own = (flat * weight) @ flat.mT
            # a frame that is saturated all over says nothing of a plane, nor of anything else
            own = own + 1e-9 * torch.eye(len(flat), dtype=own.dtype, device=own.device)
            information = information - mixed @ torch.linalg.solve(own, mixed.mT)
    scale = torch.as_tensor(noise, dtype=positions.dtype, device=positions.device)
    return information / scale.square()[..., None, None]


def censored_share(frames: Tensor, limit: float, noise: float | Tensor) -> Tensor:
    """What pixels of these expected values keep of their information when a sensor cuts at a limit.

    Of a normal number that is only seen below the limit, else as "at least that": with z its
    distance to the limit in sigmas, Phi(z) - z phi(z) + phi(z)^2 / (1 - Phi(z)).

    Args:
        frames: (..., m, m) without noise.
        limit: grey level of a saturated pixel.
        noise: standard deviation, a number or (...).
    """
    scale = torch.as_tensor(noise, dtype=frames.dtype, device=frames.device)
    z = ((limit - frames) / scale[..., None, None]).clamp(-30, 30)
    density = torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)
    below = torch.special.ndtr(z)
    above = torch.special.ndtr(-z)
    # from z = 6 on nothing is cut, and the quotient would be 0 / 0
    cut = torch.where(z < 6, density.square() / above.clamp(min=1e-300), 0)
    return (below - z * density + cut).clamp(0, 1)


def shared_design(
    frames: int,
    targets: int,
    *,
    motion: str = "smooth",
    degree: int = 2,
    flicker: bool = False,
    like: Tensor | None = None,
) -> Tensor:
    """How the numbers of each frame follow from those of a rigid group that moves.

    theta has 2K places of the shape (K rows, K columns), then the motion, then intensities. The
    places are those in the middle of the window ("smooth") or in its first frame ("free").

    Args:
        frames: T.
        targets: K.
        motion: "smooth": each axis moves by a polynomial of time, without a constant. "free": each
            frame after the first is shifted as it likes. "still": not at all.
        degree: of the polynomial, cut to T - 1.
        flicker: intensities of their own in each frame; else they stay.
        like: tensor whose dtype and device are taken; float64 on the CPU without it.

    Returns:
        (T, 3K, P).

    Raises:
        ValueError: an unknown motion, or no frame or target.

    Examples:
        >>> from d2freq.ops.fisher import shared_design
        >>> tuple(shared_design(5, 3, degree=2).shape)  # 6 of the shape, 4 of motion, 3 lights
        (5, 9, 13)
    """
    if frames < 1 or targets < 1:
        raise ValueError(f"{frames} frames of {targets} targets: there has to be one of each")
    like = torch.zeros((), dtype=torch.float64) if like is None else like
    kinds = {"smooth": _polynomials, "free": _shifts, "still": _nothing}
    if motion not in kinds:
        raise ValueError(f"motion={motion!r} is unknown; choose one of {', '.join(MOTIONS)}")
    basis = kinds[motion](frames, degree).to(like)  # (T, D)
    moves = basis.shape[1]
    lights = targets * (frames if flicker else 1)
    design = like.new_zeros(frames, 3 * targets, 2 * targets + 2 * moves + lights)
    each = torch.arange(targets, device=like.device)
    for axis in range(2):
        own = axis * targets + each
        design[:, own, own] = 1
        first = 2 * targets + axis * moves
        design[:, own, first : first + moves] = basis[:, None]
    for frame in range(frames):
        place = 2 * targets + 2 * moves + (frame * targets if flicker else 0)
        design[frame, 2 * targets + each, place + each] = 1
    return design


def joint_information(information: Tensor, design: Tensor) -> Tensor:
    """Of shared numbers: (..., T, 3K, 3K) of the frames and (T, 3K, P) -> (..., P, P)."""
    return (design.mT @ information @ design).sum(-3)


def covariance(information: Tensor) -> Tensor:
    """The inverse, (..., P, P), where rounding allows; else a variance that is huge, not infinite.

    Numbers of different units are put on one scale first. One that nothing is known of has 1e13.
    """
    diagonal = information.diagonal(dim1=-2, dim2=-1)
    scale = torch.where(diagonal > 0, diagonal, 1).rsqrt()
    values, vectors = torch.linalg.eigh(information * scale[..., :, None] * scale[..., None, :])
    inverse = (vectors / values.clamp(min=SINGULAR)[..., None, :]) @ vectors.mT
    return inverse * scale[..., :, None] * scale[..., None, :]


def position_covariances(known: Tensor) -> Tensor:
    """Of each target's row and column, out of all 3K numbers: (..., 3K, 3K) -> (..., K, 2, 2).

    Raises:
        ValueError: the matrix is not of three numbers a target.
    """
    size = known.shape[-1]
    if size % 3:
        raise ValueError(f"a covariance of {size} numbers: expected 3 for each target")
    each = torch.arange(size // 3, device=known.device)
    pair = torch.stack([each, each + size // 3], 1)
    return known[..., pair[:, :, None], pair[:, None, :]]


def position_sd(covariances: Tensor) -> Tensor:
    """Standard deviation of an axis in pixels, root mean square of both: (..., 2, 2) -> (...)."""
    return (covariances.diagonal(dim1=-2, dim2=-1).sum(-1) / 2).sqrt()


def equal_area_sd(covariances: Tensor) -> Tensor:
    """Standard deviation of the circle that is as large as the ellipse of errors, in pixels.

    It is the fourth root of the determinant. How likely a normal error is shorter than a radius r,
    r small, depends on it alone: r^2 / (2 sd^2).

    Args:
        covariances: (..., 2, 2) of row and column, floating.

    Returns:
        (...). Where one direction is as good as unknown it is large, as it should be.

    Examples:
        >>> import torch
        >>> from d2freq.ops.fisher import equal_area_sd
        >>> round(float(equal_area_sd(torch.diag(torch.tensor([0.01, 0.0001])))), 4)
        0.0316
    """
    rows, columns = covariances[..., 0, 0], covariances[..., 1, 1]
    determinant = rows * columns - covariances[..., 0, 1] * covariances[..., 1, 0]
    # of an ellipse a thousand times as long as wide rounding leaves any determinant, 0 and less too
    least = 4 * torch.finfo(covariances.dtype).eps * (rows + columns).square()
    return torch.maximum(determinant, least) ** 0.25


def derivatives(
    positions: Tensor, intensities: Tensor, size: int, sigma: float, active: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """A pixel's derivative by each number, as the product of one of its row and one of its column.

    Args:
        positions, intensities, size, sigma, active: see :func:`target_information`.

    Returns:
        (..., 3K, m) each: along the rows, along the columns.
    """
    use = torch.ones_like(intensities) if active is None else active.to(intensities)
    rows, columns = pixel_response(positions, size, sigma).unbind(-2)
    d_rows, d_columns = pixel_slope(positions, size, sigma).unbind(-2)
    bright, use = (intensities * use)[..., None], use[..., None]
    along = torch.cat([d_rows * bright, rows * bright, rows * use], -2)
    return along, torch.cat([columns, d_columns, columns], -2)


def planes(size: int, like: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Orthonormal pictures that span the planes, a profile of rows and one of columns each."""
    flat = like.new_full((size,), size**-0.5)
    slope = torch.arange(size, dtype=like.dtype, device=like.device) - (size - 1) / 2
    slope = slope / slope.norm().clamp(min=1e-9)
    return [(flat, flat), (slope, flat), (flat, slope)]


def _polynomials(frames: int, degree: int) -> Tensor:
    """Legendre polynomials of degree 1 to ``degree`` over the frames, (T, D) float64."""
    time = torch.linspace(-1, 1, frames, dtype=torch.float64)
    columns = [torch.ones_like(time), time]
    for n in range(1, degree):
        columns.append(((2 * n + 1) * time * columns[n] - n * columns[n - 1]) / (n + 1))
    return torch.stack(columns, 1)[:, 1 : 1 + min(degree, frames - 1)]


def _shifts(frames: int, degree: int) -> Tensor:
    del degree
    return torch.eye(frames, dtype=torch.float64)[:, 1:]


def _nothing(frames: int, degree: int) -> Tensor:
    del degree
    return torch.zeros(frames, 0, dtype=torch.float64)
