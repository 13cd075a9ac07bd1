"""Augmentations that move pixels and boxes: flips and resizes; and one now and then.

Images are (H, W) or (H, W, C). Sizes are height, width. All chance comes from ``numpy.random``.
"""

import sys
from typing import Any

import numpy as np
from fvcore.transforms.transform import (
    HFlipTransform,
    NoOpTransform,
    Transform,
    VFlipTransform,
)

from .augmentation import Augmentation, as_augmentation
from .transform import BILINEAR, ResizeTransform

# ruff: noqa: NPY002 - the global generator is the one that the loader seeds in each worker


def _happens(prob: float) -> bool:
    return np.random.uniform(0, 1.0) < prob


class RandomApply(Augmentation):
    """Another augmentation, now and then."""

    def __init__(self, tfm_or_aug: Augmentation | Transform, prob: float = 0.5):
        """Wrap.

        Args:
            tfm_or_aug: what to apply.
            prob: how often, in [0, 1].
        """
        super().__init__()
        assert 0.0 <= prob <= 1.0, f"Probability must be between 0.0 and 1.0 (given: {prob})"
        self.aug = as_augmentation(tfm_or_aug)
        self.prob = prob

    def get_transform(self, *args: Any) -> Transform:
        """The wrapped choice, or nothing."""
        return self.aug.get_transform(*args) if _happens(self.prob) else NoOpTransform()

    def __call__(self, aug_input: Any) -> Transform:
        """Apply the wrapped augmentation, which asks the input for what it needs, or nothing."""
        return self.aug(aug_input) if _happens(self.prob) else NoOpTransform()


class RandomFlip(Augmentation):
    """Mirror left to right, or top to bottom."""

    def __init__(self, prob: float = 0.5, *, horizontal: bool = True, vertical: bool = False):
        """Choose the axis: exactly one of the two.

        Args:
            prob: how often.
            horizontal: left to right.
            vertical: top to bottom.
        """
        super().__init__()
        if horizontal and vertical:
            raise ValueError("Cannot do both horiz and vert. Please use two Flip instead.")
        if not horizontal and not vertical:
            raise ValueError("At least one of horiz or vert has to be True!")
        self._init(locals())

    def get_transform(self, image: np.ndarray) -> Transform:
        """Flip or not."""
        if not _happens(self.prob):
            return NoOpTransform()
        height, width = image.shape[:2]
        return HFlipTransform(width) if self.horizontal else VFlipTransform(height)


class Resize(Augmentation):
    """To a fixed size, whatever the aspect ratio."""

    def __init__(self, shape: int | tuple[int, int], interp: int = BILINEAR):
        """Set the size.

        Args:
            shape: height, width; a number for a square.
            interp: a Pillow resampling method.
        """
        super().__init__()
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
        super().__init__()
        assert sample_style in ("range", "choice"), (
            f"sample_style is 'range' or 'choice', got {sample_style!r}"
        )
        if isinstance(short_edge_length, int):
            short_edge_length = (short_edge_length, short_edge_length)
        if sample_style == "range":
            assert len(short_edge_length) == 2, (
                "short_edge_length must be two values using 'range' sample style. "
                f"Got {short_edge_length}!"
            )
        self._init(
            {
                "short_edge_length": short_edge_length,
                "max_size": max_size,
                "sample_style": sample_style,
                "interp": interp,
            }
        )

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
        """Height and width after the resize.

        Args:
            oldh: height before.
            oldw: width before.
            short_edge_length: wanted length of the shorter side.
            max_size: limit of the longer side.
        """
        short, long = sorted((oldh, oldw))
        new_long = float(short_edge_length) / short * long
        shrink = min(1.0, max_size / new_long)
        sizes = int(short_edge_length * shrink + 0.5), int(new_long * shrink + 0.5)
        return sizes if oldh < oldw else sizes[::-1]


class ResizeScale(Augmentation):
    """Fit the image into a target size times a random factor, keeping its aspect ratio."""

    def __init__(
        self,
        min_scale: float,
        max_scale: float,
        target_height: int,
        target_width: int,
        interp: int = BILINEAR,
    ):
        """Set the target.

        Args:
            min_scale: least factor.
            max_scale: greatest factor.
            target_height: height of the box to fit into, at factor 1.
            target_width: its width.
            interp: a Pillow resampling method.
        """
        super().__init__()
        self._init(locals())

    def get_transform(self, image: np.ndarray) -> ResizeTransform:
        """Draw a factor."""
        factor = np.random.uniform(self.min_scale, self.max_scale)
        height, width = image.shape[:2]
        scale = min(self.target_height * factor / height, self.target_width * factor / width)
        return ResizeTransform(
            height, width, round(height * scale), round(width * scale), self.interp
        )
