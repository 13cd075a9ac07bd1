"""Crops that hold a tiny object, however rare such objects are in the image.

H x W pixels, N boxes (x0, y0, x1, y1).
"""

from collections.abc import Sequence

import numpy as np
from detectron2.data.transforms import Augmentation
from fvcore.transforms.transform import CropTransform, NoOpTransform, Transform

from d2freq.data.augmentation.rotation import check_probability
from d2freq.errors import UserError

# ruff: noqa: NPY002 - the global generator is the one that the loader seeds

__all__ = ["RandomObjectCrop"]


class RandomObjectCrop(Augmentation):
    """A window that holds one object drawn from the tiny ones; without any, a random window.

    Each place of the window that holds the whole object is equally likely, so that objects are not
    always in the middle. An object larger than the window has its centre in it.
    """

    def __init__(
        self, crop_size: Sequence[int], *, max_size: float = 32.0, prob: float = 1.0
    ) -> None:
        """Set the window.

        Args:
            crop_size: height and width in pixels; cut to the image where that is smaller.
            max_size: the largest square root of a box's area that counts as tiny, in pixels.
            prob: how often to crop.
        """
        check_probability("RandomObjectCrop", prob)
        if len(crop_size) != 2 or min(crop_size) < 1:
            raise UserError(f"RandomObjectCrop: crop_size {list(crop_size)}: height and width")
        self._init(locals())

    def get_transform(self, image: np.ndarray, boxes: np.ndarray) -> Transform:
        """Draw whether to crop, then the object, then the window's top and left."""
        if np.random.uniform() >= self.prob:
            return NoOpTransform()
        size = np.array(image.shape[:2])
        window = np.minimum(self.crop_size, size)
        low, high = np.zeros(2, int), size - window
        sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
        tiny = np.flatnonzero((np.sqrt(sides.prod(1)) <= self.max_size) & (sides.min(1) > 0))
        if len(tiny):
            left, top, right, bottom = boxes[np.random.choice(tiny)]
            first, last = np.array([top, left]), np.array([bottom, right])
            middle = (first + last) / 2
            too_large = last - first > window
            first, last = np.where(too_large, middle, first), np.where(too_large, middle, last)
            high = np.clip(np.floor(first).astype(int), 0, high)
            low = np.clip(np.ceil(last).astype(int) - window, 0, high)
        y, x = (np.random.randint(a, b + 1) for a, b in zip(low, high, strict=True))
        return CropTransform(int(x), int(y), int(window[1]), int(window[0]))
