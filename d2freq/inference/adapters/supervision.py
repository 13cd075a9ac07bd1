"""A detector of d2freq as the callback of supervision's InferenceSlicer.

import cv2, supervision
from d2freq.inference import Detector
from d2freq.inference.adapters.supervision import slicer_callback

find = slicer_callback(Detector.load("output/demo"), channel_order="BGR", score=0.3)
slicer = supervision.InferenceSlicer(find, slice_wh=640, overlap_wh=128)
detections = slicer(cv2.imread("harbour.png"))
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from d2freq.inference.detector import Detector
from d2freq.inference.search import Choice, search_arrays
from d2freq.utils.choices import choice as one_of

__all__ = ["slicer_callback"]


def slicer_callback(
    detector: Detector,
    *,
    channel_order: str,
    score: float = 0.0,
    classes: Sequence[str | int] | None = None,
) -> Callable[[Any], Any]:
    """A function from a slice to supervision's Detections, and from a list of slices to a list.

    Args:
        detector: is asked for each slice as it is, uncut.
        channel_order: of the picture that the slicer is called with, (H, W, 3) uint8: "BGR" of
            OpenCV's imread, "RGB" of Pillow, imageio and rasterio. A slice does not say it.
        score: the least that is given back.
        classes: names or numbers; None takes all.

    Raises:
        UserError: an unknown order or class.
    """
    one_of(channel_order, ("RGB", "BGR"), key="channel_order")
    wanted = Choice(score, detector.class_numbers(classes))

    def find(slices: Any) -> Any:
        many = slices if isinstance(slices, list) else [slices]
        tiles = [_as_rgb(np.asarray(pixels), channel_order) for pixels in many]
        found = search_arrays(detector.engine, tiles, choice=wanted)
        results = [own.to_supervision() for own in found]
        return results if isinstance(slices, list) else results[0]

    return find


def _as_rgb(pixels: np.ndarray, order: str) -> np.ndarray:
    return pixels if order == "RGB" else pixels[:, :, ::-1]
