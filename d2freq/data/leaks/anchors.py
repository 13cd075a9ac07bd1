"""What an image looks like around points that any crop of it shares: anchors, each with a hash.

Shape shorthand: H x W an image in grey, N anchors of it.

Anchors are the local extremes of a band-pass filtered image. Whether a pixel is one depends on its
neighbourhood alone, so a crop or a shifted tile has the same anchors wherever the grid of tiles
lies, and the difference of two positions is the shift itself. The hash is the perceptual DCT hash:
the signs of the lowest 63 frequencies of the square around the anchor.
"""

import hashlib
import os
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from d2freq.ops.dct import dct_matrix
from d2freq.utils.pixels import read_grey

__all__ = ["BITS", "Anchors", "Fingerprint", "find_anchors", "fingerprint"]

BITS = 63  # 8 x 8 frequencies without the mean
SIDE = 16  # samples of a patch per side
CELL = 4  # pixels of a sample: a patch is 64 x 64 pixels
REACH = SIDE * CELL // 2
SPACING = 16  # an anchor is extreme among 33 x 33 pixels
FINE, COARSE = 3.0, 6.0  # sigma of the band-pass filter in pixels: below JPEG's 8 x 8 blocks
CONTRAST = 1.0  # grey levels; single colours and smooth gradients stay below
BLOCK = 4096  # pixels per side that are filtered at a time: bounds the memory
MARGIN = SPACING + 4 * int(COARSE) + 8  # what an anchor's choice depends on


@dataclass(frozen=True)
class Anchors:
    """Anchors of one image, or of many in a row."""

    xy: np.ndarray  # (N, 2) int32, pixels
    code: np.ndarray  # (N,) uint64, the hash in its low 63 bits


@dataclass(frozen=True)
class Fingerprint:
    """All that the search for leaks keeps of an image."""

    size: tuple[int, int]  # width, height
    digest: bytes  # of the pixels
    flat: bool  # a single grey level
    full: Anchors
    half: Anchors  # of the image at half size
    whole: np.ndarray  # (1,) uint64, hash of the whole image; (0,) where it is flat


def fingerprint(path: str | os.PathLike) -> Fingerprint | None:
    """Anchors and hashes of an image file; None where it cannot be read."""
    image = read_grey(path)
    if image is None:
        return None
    flat = bool((image == image[0, 0]).all())
    half = resize(image, half_size(image.shape[1], image.shape[0]))
    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return Fingerprint(
        size=(image.shape[1], image.shape[0]),
        digest=hashlib.blake2b(
            image.tobytes() + repr(image.shape).encode(), digest_size=16
        ).digest(),
        flat=flat,
        full=find_anchors(image),
        half=find_anchors(half),
        whole=_hash(small[None].astype(np.float32))[: 0 if flat else 1],
    )


def half_size(width: int, height: int) -> tuple[int, int]:
    """Width and height at half size, at least one pixel each."""
    return max(1, (width + 1) // 2), max(1, (height + 1) // 2)


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The image at another (width, height), each pixel the mean of those that it covers."""
    if (image.shape[1], image.shape[0]) == tuple(size):
        return image
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def find_anchors(image: np.ndarray) -> Anchors:
    """Anchors of a grey image at least 32 pixels from its border, row by row in blocks.

    Args:
        image: (H, W) uint8.
    """
    height, width = image.shape
    points, codes = [np.zeros((0, 2), np.int32)], [np.zeros(0, np.uint64)]
    for top in range(0, height, BLOCK):
        for left in range(0, width, BLOCK):
            # with its margin, a block finds just what the whole image would
            y0, x0 = max(0, top - MARGIN), max(0, left - MARGIN)
            part = image[y0 : top + BLOCK + MARGIN, x0 : left + BLOCK + MARGIN]
            xy = _extremes(part.astype(np.float32)) + [x0, y0]
            inside = (xy >= [left, top]) & (xy < [left + BLOCK, top + BLOCK])
            border = (xy >= REACH) & (xy <= [width - REACH, height - REACH])
            xy = xy[(inside & border).all(axis=1)]
            points.append(xy.astype(np.int32))
            codes.append(_hash(_patches(part, xy - [x0, y0])))
    return Anchors(np.concatenate(points), np.concatenate(codes))


def _extremes(image: np.ndarray) -> np.ndarray:
    """(N, 2) x, y of the strongest responses of the band-pass filter, each alone in its square."""
    fine, coarse = (cv2.GaussianBlur(image, (0, 0), sigma) for sigma in (FINE, COARSE))
    response = np.abs(fine - coarse)
    square = np.ones((2 * SPACING + 1, 2 * SPACING + 1), np.uint8)
    best = (cv2.dilate(response, square) == response) & (response > CONTRAST)
    return np.argwhere(best)[:, ::-1]


def _patches(image: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """(N, 16, 16) float32: means of 4 x 4 pixels around each point; ``xy`` is 32 off the border."""
    if not len(xy):
        return np.zeros((0, SIDE, SIDE), np.float32)
    means = cv2.blur(image, (CELL, CELL))
    steps = (np.arange(SIDE) - SIDE // 2) * CELL + CELL // 2
    rows, columns = xy[:, 1, None, None] + steps[:, None], xy[:, 0, None, None] + steps
    return means[rows, columns].astype(np.float32)


def _hash(patches: np.ndarray) -> np.ndarray:
    """(N, 16, 16) float32 -> (N,) uint64: signs of the frequencies, dealt out to three thirds.

    Neighbouring frequencies go to different thirds, so that noise in the high ones, which flip
    first, spoils no third more than another.
    """
    lowest = _lowest()
    waves = (lowest @ patches @ lowest.T).reshape(len(patches), BITS + 1)[:, 1:]
    order = np.concatenate([np.arange(third, BITS, 3) for third in range(3)])
    bits = (waves[:, order] > 0).astype(np.uint64)
    return (bits << np.arange(BITS, dtype=np.uint64)).sum(axis=1, dtype=np.uint64)


def _lowest() -> np.ndarray:
    return dct_matrix(SIDE, 8, dtype=torch.float32).numpy()
