"""Block DCT of colour images as one convolution, in the geometries of frequency inputs.

Shape shorthand: B images, H x W their pixels, S the stride, k x k a kernel, N x N coefficients a
block. Coefficients stand in raster order, v N + u with v the vertical frequency, as in a JPEG
reader's arrays; JPEG's zigzag is an order to write them in.

Every transform here is linear and separable: coefficient (v, u) of a plane is its inner product
with ``outer(A[v], A[u])``, where A is N x k:

    "8x8"  A = the 8-point DCT, S = 8: JPEG's blocks
    "4x4"  A = the 4-point DCT, S = 4: as many coefficients as pixels, at stride 4
    "x2"   A = the 8-point DCT of the image enlarged twice (bilinear), S = 4: of "Learning in the
           Frequency Domain", Sec. 3.1; the enlargement is linear, so it is part of a 6 x 6 kernel
           and no enlarged image exists
    "x4"   the same of the image enlarged four times, S = 2: the paper's for MobileNetV2, whose
           first layer has stride 2 (images of 896 where RGB takes 224)
    "8x8-420"  as "8x8", with chroma of the image enlarged twice and halved again by means of two
           samples, as JPEG's 4:2:0 does: the published path of the classifiers. Together that is a
           blur by 1/8, 6/8, 1/8 along each axis, so that A is 8 x 10, with zeros around it for Y
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from d2freq.ops.dct import dct_matrix

__all__ = [
    "GEOMETRIES",
    "YCBCR",
    "Geometry",
    "axis_basis",
    "zigzag",
]


@dataclass(frozen=True)
class Geometry:
    """How blocks lie on the pixels.

    Args:
        points: N, coefficients a side.
        stride: S, pixels from a block to the next.
        enlarge: how many samples a pixel of each axis becomes first.
        blur_chroma: whether Cb and Cr are blurred first.
    """

    points: int
    stride: int
    enlarge: int = 1
    blur_chroma: bool = False

    @property
    def padding(self) -> int:
        """Pixels that the border repeats on every side, for the enlargement or the blur."""
        return int(self.enlarge > 1 or self.blur_chroma)


GEOMETRIES = {
    "x2": Geometry(points=8, stride=4, enlarge=2),
    "8x8": Geometry(points=8, stride=8),
    "4x4": Geometry(points=4, stride=4),
    "x4": Geometry(points=8, stride=2, enlarge=4),
    "8x8-420": Geometry(points=8, stride=8, blur_chroma=True),
}

# Y, Cb, Cr from R, G, B (JFIF, BT.601 full range). Y's row sums to 1, the others to 0, so that a
# level shift of 128 in RGB is one in Y and none in Cb and Cr, whose own 128 is left out.
YCBCR = (
    (0.299, 0.587, 0.114),
    (-0.168736, -0.331264, 0.5),
    (0.5, -0.418688, -0.081312),
)


def axis_basis(mode: str, *, chroma: bool = False, dtype: torch.dtype = torch.float64) -> Tensor:
    """A, the transform of one axis.

    Args:
        mode: a name of GEOMETRIES.
        chroma: of Cb and Cr, where these differ from Y.
        dtype: of the result.

    Returns:
        (N, k): (8, 6), (8, 8), (4, 4), (8, 4) or (8, 10).

    Raises:
        KeyError: another mode.

    Examples:
        >>> from d2freq.ops.block_dct import axis_basis
        >>> [tuple(axis_basis(mode).shape) for mode in ("x2", "8x8", "4x4", "x4")]
        [(8, 6), (8, 8), (4, 4), (8, 4)]
    """
    geometry = GEOMETRIES[mode]
    basis = dct_matrix(geometry.points, dtype=torch.float64)
    if geometry.enlarge > 1:
        basis = basis @ _enlarging(geometry.enlarge)
    if geometry.blur_chroma:
        basis = basis @ _blur(geometry.points) if chroma else F.pad(basis, (1, 1))
    return basis.to(dtype)


def zigzag(points: int = 8) -> list[int]:
    """The raster index at each zigzag rank: 0, 1, 8, 16, 9, 2, ... for 8 points.

    Examples:
        >>> from d2freq.ops.block_dct import zigzag
        >>> zigzag()[:6]
        [0, 1, 8, 16, 9, 2]
    """
    cells = [(v, u) for v in range(points) for u in range(points)]

    def rank(cell: tuple[int, int]) -> tuple[int, int]:
        v, u = cell
        return v + u, v if (v + u) % 2 else u

    return [v * points + u for v, u in sorted(cells, key=rank)]


def _enlarging(factor: int) -> Tensor:
    """Pixels to the eight samples of the block between them, enlarged. (8, 8 / factor + 2).

    Bilinear without aligned corners: the middle of sample i lies at pixel (i + 1/2) / factor - 1/2
    of the block, so it takes that share of the two pixels around it.
    """
    weights = torch.zeros(8, 8 // factor + 2, dtype=torch.float64, device="cpu")
    for sample in range(8):
        position = (sample + 0.5) / factor + 0.5  # column 0 is the neighbour before the block
        share, before = math.modf(position)
        weights[sample, int(before)] = 1 - share
        weights[sample, int(before) + 1] = share
    return weights


def _blur(points: int) -> Tensor:
    """Pixels to those of the block between them, enlarged twice and halved. (points, points + 2).

    The samples lie a quarter of a pixel before and behind a pixel's middle: their mean takes 1/8,
    6/8 and 1/8 of the pixel before, the pixel, and the one behind.
    """
    pixels = torch.eye(points + 2, dtype=torch.float64, device="cpu")
    return (pixels[:-2] + 6 * pixels[1:-1] + pixels[2:]) / 8
