"""Distances between boxes seen as Gaussians, for objects so tiny that no anchor overlaps them.

Shape shorthand: N and M boxes, XYXY in pixels; their Gaussians are (5, N) and (5, M).

A box with centre (x, y), width w and height h is N((x, y), diag(w^2/4, h^2/4)): its standard
deviations are its half sides. Sources: NWD (Wang et al. 2021, "A Normalized Gaussian Wasserstein
Distance for Tiny Object Detection") and RFLA (Xu et al., ECCV 2022, "Gaussian Receptive Field based
Label Assignment").

A pair costs additions and products alone, and roots and logarithms are taken once a box. So a
part of the rows of a matrix has the same bits computed by itself.
"""

import torch
from torch import Tensor

from d2freq.ops.dct import working_dtype

__all__ = [
    "NWD_CONSTANT",
    "WASSERSTEIN_EPSILON",
    "gaussian_kl",
    "gaussian_wasserstein2",
    "gaussians",
]

NWD_CONSTANT = 12.7  # pixels: the mean absolute size of AI-TOD's objects, as NWD-RKA takes it
WASSERSTEIN_EPSILON = 1e-6  # square pixels under NWD's root, whose slope at 0 is infinite
SMALLEST_SIDE = 1e-6  # pixels; thinner boxes count as this wide, so that no quotient is infinite


def gaussians(boxes: Tensor) -> Tensor:
    """The Gaussians of boxes (N, 4): x, y, half width, half height, ln of the halves' product.

    Returns:
        (5, N), float32 for half precision, else the dtype of ``boxes``.
    """
    left, top, right, bottom = boxes.to(working_dtype(boxes)).unbind(1)
    half_width = (right - left).clamp(min=SMALLEST_SIDE) / 2
    half_height = (bottom - top).clamp(min=SMALLEST_SIDE) / 2
    log_product = half_width.log() + half_height.log()
    return torch.stack(
        ((left + right) / 2, (top + bottom) / 2, half_width, half_height, log_product)
    )


def gaussian_wasserstein2(first: Tensor, second: Tensor) -> Tensor:
    """Squared 2-Wasserstein distance, dx^2 + dy^2 + (dw^2 + dh^2) / 4 (NWD).

    NWD itself is exp(-sqrt(it + WASSERSTEIN_EPSILON) / NWD_CONSTANT).

    Args:
        first: (5, N), of :func:`gaussians`.
        second: (5, M).

    Returns:
        (N, M) square pixels, at least 0.

    Examples:
        >>> import torch
        >>> from d2freq.ops.boxes import NWD_CONSTANT, gaussian_wasserstein2, gaussians
        >>> boxes = gaussians(torch.tensor([[0.0, 0, 8, 8], [8.0, 0, 16, 8], [80.0, 0, 88, 8]]))
        >>> squared = gaussian_wasserstein2(boxes[:, :1], boxes)
        >>> squared.tolist()
        [[0.0, 64.0, 6400.0]]
        >>> [round(nwd, 2) for nwd in torch.exp(-squared.sqrt() / NWD_CONSTANT)[0].tolist()]
        [1.0, 0.53, 0.0]
    """
    total = _squared_distance(first[:2], second[:2])
    total += _squared_distance(first[2:4], second[2:4])
    return total


def gaussian_kl(first: Tensor, second: Tensor) -> Tensor:
    """Kullback-Leibler divergence as RFLA has it, with the variances of ``first`` below.

    (w2^2/w1^2 + h2^2/h1^2 + 4 dx^2/w1^2 + 4 dy^2/h1^2 + ln(w1^2/w2^2) + ln(h1^2/h2^2) - 2) / 2,
    where ``first`` (5, N) are the ground truth and ``second`` (5, M) the receptive fields. Not
    symmetric.

    Returns:
        (N, M), finite and at least 0 up to rounding, for boxes without area too.

    Examples:
        >>> import torch
        >>> from d2freq.ops.boxes import gaussian_kl, gaussians
        >>> boxes = gaussians(torch.tensor([[0.0, 0, 8, 8], [4.0, 0, 12, 8]]))
        >>> gaussian_kl(boxes[:, :1], boxes).tolist()
        [[0.0, 0.5]]
    """
    inverse = 1 / first[2:4]
    # Offsets and sides are summed by themselves, so that boxes of one shape at equal distances,
    # and boxes that mirror each other, tie exactly.
    total = _squared_distance(first[:2], second[:2], scale=inverse)
    pairs = zip(inverse.square(), second[2:4].square(), strict=True)
    sides = [one[:, None] * other for one, other in pairs]
    total += sides[0].add_(sides[1])
    total /= 2
    total += first[4][:, None] - second[4]
    total -= 1
    return total


def _squared_distance(first: Tensor, second: Tensor, scale: Tensor | None = None) -> Tensor:
    """Between points (2, N) and (2, M), each axis times ``scale`` (2, N) before squaring: (N, M).

    In place where it can be: the matrices are large.
    """
    axes = []
    for axis in range(2):
        difference = first[axis][:, None] - second[axis]
        if scale is not None:
            difference *= scale[axis][:, None]
        axes.append(difference.square_())
    return axes[0].add_(axes[1])
