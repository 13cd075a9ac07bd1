"""Floating point channels resized as Pillow resizes bytes: with smoothing where they shrink.

Detectron2 resizes floats by torch, which skips pixels when it shrinks: a target of one pixel would
come and go with its place. Shape legend: H x W before, h x w afterwards, C channels.
"""

import numpy as np
from PIL import Image

__all__ = ["resize_channels"]


def resize_channels(
    pixels: np.ndarray, size: tuple[int, int], method: int = Image.Resampling.BILINEAR
) -> np.ndarray:
    """(H, W, C) float32 -> (h, w, C) float32.

    Args:
        size: h, w.
        method: one of Pillow's.
    """
    height, width = size
    planes = [
        np.asarray(Image.fromarray(np.ascontiguousarray(plane)).resize((width, height), method))
        for plane in pixels.astype(np.float32, copy=False).transpose(2, 0, 1)
    ]
    return np.stack(planes, axis=2)
