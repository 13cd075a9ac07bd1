"""Pictures as large as testing makes them, and boxes back in the pixels of what was given.

Shape legend: H x W what was given, h x w resized, N boxes.
"""

from dataclasses import replace

import numpy as np

from d2freq.inference.detections import Detections
from d2freq.inference.engines.engine import ModelAbout
from d2freq.utils.pixels.resize import resize_channels

__all__ = ["boxes_back", "factor", "resized", "resized_shape"]

NO_LIMIT = 2**31 - 1


def resized(
    pixels: np.ndarray, about: ModelAbout, *, full: tuple[int, int] | None = None
) -> np.ndarray:
    """(H, W, C) -> (h, w, C), uint8 or float32, as the test loader's ResizeShortestEdge makes it.

    Args:
        full: (height, width) whose resizing says by how much; None: of the picture itself.
    """
    height, width = pixels.shape[:2]
    target = resized_shape((height, width), about, full=full)
    if target == (height, width):
        return pixels
    if pixels.dtype != np.uint8:
        return resize_channels(pixels, target)
    from detectron2.data.transforms import ResizeTransform

    return ResizeTransform(height, width, *target).apply_image(pixels)


def resized_shape(
    shape: tuple[int, int], about: ModelAbout, *, full: tuple[int, int] | None = None
) -> tuple[int, int]:
    """(h, w) of what is (H, W); see ``resized``."""
    if not about.short_side:
        return shape
    from detectron2.data.transforms import ResizeShortestEdge

    whole = full or shape
    target = ResizeShortestEdge.get_output_shape(
        *whole, about.short_side, about.longest_side or NO_LIMIT
    )
    if whole == shape:
        return target
    return (
        max(1, round(shape[0] * target[0] / whole[0])),
        max(1, round(shape[1] * target[1] / whole[1])),
    )


def factor(about: ModelAbout, full: tuple[int, int] | None) -> float:
    """By how much a whole tile of (height, width) is enlarged; 1 for None."""
    if full is None or not about.short_side:
        return 1.0
    from detectron2.data.transforms import ResizeShortestEdge

    target = ResizeShortestEdge.get_output_shape(
        *full, about.short_side, about.longest_side or NO_LIMIT
    )
    return target[0] / full[0]


def boxes_back(found: Detections, *, given: tuple[int, int], seen: tuple[int, int]) -> Detections:
    """What was found on (h, w) pixels ``seen``, in those of the (H, W) that were ``given``."""
    if given == seen or not len(found):
        return found
    factors = np.array([given[1] / seen[1], given[0] / seen[0]] * 2)
    return replace(found, boxes=found.boxes * factors)
