"""Pixels of a picture as a model takes them.

Shape legend: H x W of a picture, C channels of the model.
"""

import numpy as np
from PIL import Image

__all__ = ["planes"]


def planes(pixels: np.ndarray, channel_order: str) -> np.ndarray:
    """A picture's channels, one after the other, as a test loader reads them.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        channel_order: of the model: "RGB", "BGR", or "L" for grey alone.

    Returns:
        (C, H, W) uint8, contiguous.
    """
    if channel_order == "L":
        return np.array(Image.fromarray(pixels).convert("L"))[None]
    ordered = pixels if channel_order == "RGB" else pixels[:, :, ::-1]
    return np.ascontiguousarray(ordered.transpose(2, 0, 1))
