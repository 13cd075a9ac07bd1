"""Distances between boxes seen as Gaussians, for objects so tiny that no anchor overlaps them.

Shape shorthand: N and M boxes, XYXY in pixels; their Gaussians are (5, N) and (5, M).

A box with centre (x, y), width w and height h is N((x, y), diag(w^2/4, h^2/4)): its standard
deviations are its half sides. Sources: NWD (Wang et al. 2021, "A Normalized Gaussian Wasserstein
Distance for Tiny Object Detection"), RFLA (Xu et al., ECCV 2022, "Gaussian Receptive Field based
Label Assignment"), DotD (Xu et al., CVPR Workshops 2021, "Dot Distance").

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
    "pairwise_dotd",
    "pairwise_kl",
    "pairwise_kl_score",
    "pairwise_nwd",
    "pairwise_wasserstein2",
]

NWD_CONSTANT = 12.7  # pixels: the mean absolute size of AI-TOD's objects, as NWD-RKA takes it
WASSERSTEIN_EPSILON = 1e-6  # square pixels under NWD's root, whose slope at 0 is infinite
SMALLEST_SIDE = 1e-6  # pixels; thinner boxes count as this wide, so that no quotient is infinite


def pairwise_wasserstein2(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Squared 2-Wasserstein distance, dx^2 + dy^2 + (dw^2 + dh^2) / 4 (NWD).

    Args:
        boxes1: (N, 4) of a floating dtype; half precision is computed in float32.
        boxes2: (M, 4).

    Returns:
        (N, M) square pixels, at least 0.
    """
    return gaussian_wasserstein2(gaussians(boxes1), gaussians(boxes2))


def pairwise_nwd(boxes1: Tensor, boxes2: Tensor, constant: float = NWD_CONSTANT) -> Tensor:
    """Normalised Wasserstein distance, exp(-sqrt(W2^2 + 1e-6) / constant) (NWD).

    Arguments as of :func:`pairwise_wasserstein2`; the constant is in pixels.

    Returns:
        (N, M) in [0, 1], 1 for equal boxes; in float32 it is 0 from W2 = 104 constants on.
    """
    squared = pairwise_wasserstein2(boxes1, boxes2)
    return torch.exp(-(squared + WASSERSTEIN_EPSILON).sqrt() / constant)


def pairwise_kl(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Kullback-Leibler divergence as RFLA has it, with the variances of ``boxes1`` below.

    (w2^2/w1^2 + h2^2/h1^2 + 4 dx^2/w1^2 + 4 dy^2/h1^2 + ln(w1^2/w2^2) + ln(h1^2/h2^2) - 2) / 2,
    where ``boxes1`` are the ground truth and ``boxes2`` the receptive fields. Not symmetric.

    Arguments as of :func:`pairwise_wasserstein2`; sides under 1e-6 pixels count as 1e-6.

    Returns:
        (N, M), finite and at least 0 up to rounding, for boxes without area too.
    """
    return gaussian_kl(gaussians(boxes1), gaussians(boxes2))


def pairwise_kl_score(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """RFLA's score, 1 / (1 + KL): (N, M) in (0, 1], 1 for equal boxes."""
    return 1 / (1 + pairwise_kl(boxes1, boxes2))


def pairwise_dotd(boxes1: Tensor, boxes2: Tensor, constant: float = NWD_CONSTANT) -> Tensor:
    """Dot distance, exp(-distance of the centres / constant) (DotD).

    Arguments as of :func:`pairwise_nwd`. No 1e-6 here: the gradient at equal centres is not
    finite.

    Returns:
        (N, M) in [0, 1].
    """
    centres1, centres2 = gaussians(boxes1)[:2], gaussians(boxes2)[:2]
    return torch.exp(-_squared_distance(centres1, centres2).sqrt() / constant)


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
    """:func:`pairwise_wasserstein2` of Gaussians, (5, N) and (5, M) -> (N, M)."""
    total = _squared_distance(first[:2], second[:2])
    total += _squared_distance(first[2:4], second[2:4])
    return total


def gaussian_kl(first: Tensor, second: Tensor) -> Tensor:
    """:func:`pairwise_kl` of Gaussians, (5, N) and (5, M) -> (N, M)."""
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
