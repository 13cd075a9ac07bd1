"""Regions of an image that are left out of the count, with all that lies in them.

Boxes and regions are (x, y, width, height) in pixels. N boxes, R regions, image of W x H.

By "area" the share of a box is that of its area inside the union of the regions. By "pixels" it is
counted on a grid as VisDrone's toolkit counts, which numbers pixels from 1: a region is what pixels
max(1, x) to max(1, x) + width hold, both included, as far as the image goes, and so reaches a pixel
further to the left and up than its numbers say; a box is rounded to whole pixels of at least 1, and
holds those after x up to x + width. A box over the border has less inside, of its whole size.
"""

import numpy as np

from d2freq.evaluation.coco.guard import GroundTruth
from d2freq.evaluation.coco.overlaps import intersection
from d2freq.evaluation.protocols.protocol import RegionRule


def in_regions(
    truth: GroundTruth,
    image_id: np.ndarray,
    xywh: np.ndarray,
    share: float,
    rule: RegionRule = "area",
) -> np.ndarray:
    """Which boxes lie inside their image's regions by at least ``share`` of their own area.

    Args:
        image_id: (N,) int64.
        xywh: (N, 4) float64; a box without area lies nowhere.

    Returns:
        (N,) bool.
    """
    result = np.zeros(len(image_id), bool)
    order = np.argsort(image_id, kind="stable")
    images = np.unique(truth.region_image_id)
    regions = truth.region_xywh
    if rule == "pixels":
        sizes = truth.image_wh[np.searchsorted(truth.image_ids, truth.region_image_id)]
        regions, xywh = _on_grid(regions, sizes), np.maximum(np.floor(xywh + 0.5), 1)
    ends = [np.searchsorted(image_id, images, side, sorter=order) for side in ("left", "right")]
    for image, start, stop in zip(images, *ends, strict=True):
        own = order[start:stop]
        area = xywh[own, 2] * xywh[own, 3]
        covered = covered_area(xywh[own], regions[truth.region_image_id == image])
        result[own] = (area > 0) & (covered >= share * area)
    return result


def _on_grid(regions: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Regions (R, 4) by pixels, in images of ``sizes`` (R, 2): width and height."""
    whole = np.maximum(regions, 1)
    first, last = whole[:, :2] - 1, np.minimum(whole[:, :2] + whole[:, 2:], sizes)
    return np.concatenate([first, np.maximum(last - first, 0)], axis=1)


def covered_area(xywh: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Area of each box (N, 4) inside the union of ``regions`` (R, 4), (N,) square pixels."""
    return intersection(xywh[:, None], _disjoint(regions)[None]).sum(1)


def _disjoint(regions: np.ndarray) -> np.ndarray:
    """The union of ``regions`` as rectangles that do not overlap, row by row between borders."""
    left, top = regions[:, 0], regions[:, 1]
    right, bottom = left + regions[:, 2], top + regions[:, 3]
    columns, rows = np.unique([left, right]), np.unique([top, bottom])
    parts = []
    for upper, lower in zip(rows[:-1], rows[1:], strict=True):
        here = (top <= upper) & (bottom >= lower)
        inside = (left[here, None] <= columns[:-1]) & (right[here, None] >= columns[1:])
        change = np.diff(inside.any(0).astype(np.int8), prepend=0, append=0)
        starts, stops = columns[change == 1], columns[change == -1]
        parts += [[x, upper, end - x, lower - upper] for x, end in zip(starts, stops, strict=True)]
    return np.array(parts, np.float64).reshape(-1, 4)
