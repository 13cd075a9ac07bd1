"""IoU, nIoU, Pd and Fa of infrared small targets, on maps of pixels.

H x W pixels of an image; its maps are True on targets and on what was found. Targets are the
components of a map, pixels that touch with a side or a corner.

    IoU   pixels in both maps / pixels in either, over all images
    nIoU  the mean over images of each one's IoU (ACM, Dai et al., WACV 2021)
    Pd    targets found / targets; one is found by a component whose centroid lies less than
          ``distance`` pixels from its own (DNANet, Li et al., TIP 2023: 3 pixels)
    Fa    pixels of components that found no target / all pixels (DNANet), given in 1e-6

The papers leave open which component finds a target where several are near enough: targets take
turns in reading order, and each takes the first in reading order that is free. Images whose maps
are both empty have no IoU, and are left out of nIoU; the published sets have none.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class ImageCount(NamedTuple):
    """What is counted in an image, or in several together; pixels but for the targets."""

    shared: int
    union: int
    targets: int
    detected: int
    false: int
    pixels: int


def count_image(truth: np.ndarray, found: np.ndarray, distance: float) -> ImageCount:
    """Count two maps (H, W) bool of an image."""
    targets, _ = components(truth)
    centres, areas = components(found)
    free = np.ones(len(centres), bool)
    for target in targets:
        near = np.flatnonzero(free & (np.hypot(*(centres - target).T) < distance))
        free[near[:1]] = False
    return ImageCount(
        shared=int((truth & found).sum()),
        union=int((truth | found).sum()),
        targets=len(targets),
        detected=int((~free).sum()),
        false=int(areas[free].sum()),
        pixels=truth.size,
    )


def components(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centroids (N, 2), row and column, and areas (N,) of a map's components, in reading order."""
    from scipy import ndimage  # slow to import, and needed by one protocol

    labels, _ = ndimage.label(pixels, np.ones((3, 3)))
    rows, columns = np.nonzero(pixels)
    _, first, number = np.unique(labels[rows, columns], return_index=True, return_inverse=True)
    areas = np.bincount(number, minlength=len(first))
    sums = [np.bincount(number, places, len(first)) for places in (rows, columns)]
    order = np.argsort(first)
    return (np.stack(sums, 1) / areas[:, None])[order], areas[order]


def total(counts: Sequence[ImageCount]) -> ImageCount:
    """The sums over images."""
    return ImageCount(*map(sum, zip(*counts, strict=True))) if counts else ImageCount(*[0] * 6)


def results_of(counts: Sequence[ImageCount]) -> dict[str, float]:
    """IoU, nIoU and Pd in percent, Fa in 1e-6; NaN where there is nothing to divide by."""
    whole = total(counts)
    each = [count.shared / count.union for count in counts if count.union]
    return {
        "IoU": 100 * _ratio(whole.shared, whole.union),
        "nIoU": 100 * _ratio(sum(each), len(each)),
        "Pd": 100 * _ratio(whole.detected, whole.targets),
        "Fa": 1e6 * _ratio(whole.false, whole.pixels),
    }


def _ratio(part: float, whole: int) -> float:
    return part / whole if whole else float("nan")
