"""Augmentations: flips, resizes, crops and changes of colour.

Images are (H, W) or (H, W, C). Sizes are height, width. All chance comes from ``numpy.random``.
"""

import sys

import numpy as np
from fvcore.transforms.transform import (
    BlendTransform,
    CropTransform,
    HFlipTransform,
    NoOpTransform,
    Transform,
    VFlipTransform,
)

from .augmentation import Augmentation
from .transform import BILINEAR, ResizeTransform

# ruff: noqa: NPY002 - the global generator is the one that the loader seeds in each worker

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_CROP_TYPES = ("relative", "relative_range", "absolute", "absolute_range")


class RandomFlip(Augmentation):
    """Mirror left to right (horizontal), or top to bottom."""

    def __init__(self, prob: float = 0.5, *, horizontal: bool = True, vertical: bool = False):
        """Flip along exactly one of the axes, with a probability ``prob``."""
        if horizontal == vertical:
            raise ValueError("RandomFlip: set one of horizontal and vertical; for both use two")
        self._init(locals())

    def get_transform(self, image: np.ndarray) -> Transform:
        """Flip or not."""
        if np.random.uniform(0, 1.0) >= self.prob:
            return NoOpTransform()
        height, width = image.shape[:2]
        return HFlipTransform(width) if self.horizontal else VFlipTransform(height)


class Resize(Augmentation):
    """To a fixed size, whatever the aspect ratio."""

    def __init__(self, shape: int | tuple[int, int], interp: int = BILINEAR):
        """Set height, width (a number for a square), and a Pillow resampling method."""
        size = (shape, shape) if isinstance(shape, int) else tuple(shape)
        self._init({"shape": size, "interp": interp})

    def get_transform(self, image: np.ndarray) -> ResizeTransform:
        """The one resize."""
        (height, width), (new_h, new_w) = image.shape[:2], self.shape
        return ResizeTransform(height, width, new_h, new_w, self.interp)


class ResizeShortestEdge(Augmentation):
    """Bring the shorter side to a random length, unless the longer would become too long."""

    def __init__(
        self,
        short_edge_length: int | list[int] | tuple[int, ...],
        max_size: int = sys.maxsize,
        sample_style: str = "range",
        interp: int = BILINEAR,
    ):
        """Set the lengths.

        Args:
            short_edge_length: (least, greatest) for "range", all possible ones for "choice"; a
                single number is both. A length of 0 leaves the image as it is.
            max_size: limit of the longer side.
            sample_style: "range" or "choice".
            interp: a Pillow resampling method.
        """
        assert sample_style in ("range", "choice"), f"sample_style: got {sample_style!r}"
        if isinstance(short_edge_length, int):
            short_edge_length = (short_edge_length, short_edge_length)
        assert sample_style == "choice" or len(short_edge_length) == 2, (
            f"short_edge_length must be two values for sample_style 'range', "
            f"got {short_edge_length}"
        )
        self._init(locals())

    def get_transform(self, image: np.ndarray) -> Transform:
        """Draw a length."""
        if self.sample_style == "range":
            length = np.random.randint(self.short_edge_length[0], self.short_edge_length[1] + 1)
        else:
            length = np.random.choice(self.short_edge_length)
        if length == 0:
            return NoOpTransform()
        height, width = image.shape[:2]
        shape = self.get_output_shape(height, width, length, self.max_size)
        return ResizeTransform(height, width, *shape, self.interp)

    @staticmethod
    def get_output_shape(
        oldh: int, oldw: int, short_edge_length: int, max_size: int
    ) -> tuple[int, int]:
        """Height and width after the resize of an ``oldh`` x ``oldw`` image."""
        short, long = sorted((oldh, oldw))
        new_long = float(short_edge_length) / short * long
        shrink = min(1.0, max_size / new_long)
        sizes = int(short_edge_length * shrink + 0.5), int(new_long * shrink + 0.5)
        return sizes if oldh < oldw else sizes[::-1]


class RandomCrop(Augmentation):
    """A random window whose size is fixed or drawn."""

    def __init__(self, crop_type: str, crop_size: tuple[float, float]):
        """Set how large the window is.

        Args:
            crop_type: how to read the two numbers a, b of ``crop_size``, for an H x W image.
                "relative": aH x bW. "relative_range": as that, with factors drawn from [a, 1] and
                [b, 1]. "absolute": a x b, at most H x W. "absolute_range": height from
                [a, min(H, b)], width from [a, min(W, b)].
            crop_size: the two numbers.

        Raises:
            ValueError: an unknown type.
        """
        if crop_type not in _CROP_TYPES:
            raise ValueError(f"INPUT.CROP.TYPE {crop_type!r} is unknown; known: {_CROP_TYPES}")
        self._init(locals())

    def get_transform(self, image: np.ndarray) -> CropTransform:
        """Draw the window: its size, then its top, then its left."""
        height, width = image.shape[:2]
        crop_h, crop_w = self.get_crop_size((height, width))
        assert crop_h <= height and crop_w <= width, (
            f"INPUT.CROP.SIZE {self.crop_size} does not fit INPUT.CROP.TYPE {self.crop_type!r}"
        )
        top = np.random.randint(height - crop_h + 1)
        left = np.random.randint(width - crop_w + 1)
        return CropTransform(left, top, crop_w, crop_h)

    def get_crop_size(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Draw the window's height and width in pixels, for an image of this height and width."""
        height, width = image_size
        first, second = self.crop_size
        if self.crop_type == "absolute":
            return min(int(first), height), min(int(second), width)
        if self.crop_type == "absolute_range":
            sides = [np.random.randint(min(s, first), min(s, second) + 1) for s in image_size]
            return sides[0], sides[1]
        share: np.ndarray = np.asarray(self.crop_size, dtype=np.float32)
        if self.crop_type == "relative_range":
            share = share + np.random.rand(2) * (1 - share)
        return max(int(height * share[0] + 0.5), 1), max(int(width * share[1] + 0.5), 1)


class _RandomIntensity(Augmentation):
    """``intensity * image + (1 - intensity) * reference``, with a random intensity."""

    def __init__(self, intensity_min: float, intensity_max: float):
        """Set the range: below 1 is towards the reference, above 1 away from it."""
        self._init(locals())

    def _reference(self, image: np.ndarray) -> np.ndarray | float:
        raise NotImplementedError

    def get_transform(self, image: np.ndarray) -> BlendTransform:
        intensity = np.random.uniform(self.intensity_min, self.intensity_max)
        return BlendTransform(self._reference(image), 1 - intensity, intensity)


class RandomBrightness(_RandomIntensity):
    """Towards black, or away from it."""

    def _reference(self, image: np.ndarray) -> float:
        return 0


class RandomContrast(_RandomIntensity):
    """Towards the image's mean, or away from it."""

    def _reference(self, image: np.ndarray) -> float:
        return image.mean()


class RandomSaturation(_RandomIntensity):
    """Towards the grey image, or away from it; the image is (H, W, 3), RGB."""

    def _reference(self, image: np.ndarray) -> np.ndarray:
        return image.dot(_LUMA)[..., np.newaxis]
