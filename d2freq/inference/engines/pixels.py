"""Pixels of a picture as a model takes them.

Shape legend: H x W of a picture, C channels of the model.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from PIL import Image

__all__ = ["places_by_size", "planes"]


def places_by_size(pictures: Sequence[np.ndarray]) -> list[list[int]]:
    """Places of the pictures of each size, which may run together: no padding, no other answers."""
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for place, pixels in enumerate(pictures):
        groups[pixels.shape].append(place)
    return list(groups.values())


def planes(pixels: np.ndarray, channel_order: str) -> np.ndarray:
    """A picture's channels, one after the other, as a test loader reads them.

    Args:
        pixels: (H, W, 3) uint8 RGB, or (H, W, C) float32 in the model's order already.
        channel_order: of the model: "RGB", "BGR", or "L" for grey alone.

    Returns:
        (C, H, W) of the same type, contiguous.
    """
    if pixels.dtype != np.uint8:
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))
    if channel_order == "L":
        return np.array(Image.fromarray(pixels).convert("L"))[None]
    ordered = pixels if channel_order == "RGB" else pixels[:, :, ::-1]
    return np.ascontiguousarray(ordered.transpose(2, 0, 1))
