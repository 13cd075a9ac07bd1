"""Augmentations that move pixels and boxes: flips, resizes, crops.

Images are (H, W) or (H, W, C). Sizes are height, width. All chance comes from ``numpy.random``.
"""

import sys
from typing import Any

import numpy as np
from fvcore.transforms.transform import (
    CropTransform,
    HFlipTransform,
    NoOpTransform,
    PadTransform,
    Transform,
    TransformList,
    VFlipTransform,
)
from PIL import Image

from .augmentation import Augmentation, as_augmentation
from .transform import ResizeTransform

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

    def __init__(self, shape: int | tuple[int, int], interp: int = Image.BILINEAR):
        """Set the size.

        Args:
            shape: height, width; a number for a square.
            interp: a Pillow resampling method.
        """
        super().__init__()
        shape = (shape, shape) if isinstance(shape, int) else tuple(shape)
        self._init({"shape": shape, "interp": interp})

    def get_transform(self, image: np.ndarray) -> ResizeTransform:
        """The one resize."""
        return ResizeTransform(*image.shape[:2], *self.shape, self.interp)


class ResizeShortestEdge(Augmentation):
    """Bring the shorter side to a random length, unless the longer would become too long."""

    def __init__(
        self,
        short_edge_length: int | list[int] | tuple[int, ...],
        max_size: int = sys.maxsize,
        sample_style: str = "range",
        interp: int = Image.BILINEAR,
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
        length = short_edge_length * 1.0
        scale = length / min(oldh, oldw)
        shape = (length, scale * oldw) if oldh < oldw else (scale * oldh, length)
        if max(shape) > max_size:
            shrink = max_size * 1.0 / max(shape)
            shape = (shape[0] * shrink, shape[1] * shrink)
        return int(shape[0] + 0.5), int(shape[1] + 0.5)


class ResizeScale(Augmentation):
    """Fit the image into a target size times a random factor, keeping its aspect ratio."""

    def __init__(
        self,
        min_scale: float,
        max_scale: float,
        target_height: int,
        target_width: int,
        interp: int = Image.BILINEAR,
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
        size = np.array(image.shape[:2])
        target = np.array([self.target_height, self.target_width]) * factor
        new_size = np.round(size * (target / size).min()).astype(int)
        return ResizeTransform(*size.tolist(), *new_size.tolist(), self.interp)


class FixedSizeCrop(Augmentation):
    """A random window of a fixed size; smaller images are padded at the right and the bottom."""

    def __init__(
        self,
        crop_size: tuple[int, int],
        pad: bool = True,
        pad_value: float = 128.0,
        seg_pad_value: int = 255,
    ):
        """Set the size.

        Args:
            crop_size: height, width.
            pad: whether to pad; else a smaller image stays small.
            pad_value: what to pad images with.
            seg_pad_value: what to pad maps of labels with.
        """
        super().__init__()
        self._init(locals())

    def get_transform(self, image: np.ndarray) -> TransformList:
        """Draw a window; one number moves it along both axes."""
        size, window = np.array(image.shape[:2]), np.array(self.crop_size)
        room = np.maximum(size - window, 0)
        top, left = np.round(room * np.random.uniform(0.0, 1.0)).astype(int).tolist()
        (height, width), (crop_h, crop_w) = size.tolist(), window.tolist()
        steps: list[Transform] = [CropTransform(left, top, crop_w, crop_h, width, height)]
        if self.pad:
            kept_h, kept_w = np.minimum(size, window).tolist()
            steps.append(
                PadTransform(
                    0,
                    0,
                    crop_w - kept_w,
                    crop_h - kept_h,
                    orig_w=kept_w,
                    orig_h=kept_h,
                    pad_value=self.pad_value,
                    seg_pad_value=self.seg_pad_value,
                )
            )
        return TransformList(steps)


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
            ValueError: an unknown type, or numbers that do not fit it.
        """
        super().__init__()
        first, second = crop_size
        fits = {
            "relative": 0 < first <= 1 and 0 < second <= 1,
            "relative_range": 0 < first <= 1 and 0 < second <= 1,
            "absolute": first > 0 and second > 0 and {int(first), int(second)} == {first, second},
            "absolute_range": 0 < first <= second,
        }
        if crop_type not in fits:
            raise ValueError(
                f"crop_type (INPUT.CROP.TYPE) is one of {list(fits)}, got {crop_type!r}"
            )
        if not fits[crop_type]:
            raise ValueError(
                f"crop_size (INPUT.CROP.SIZE) {tuple(crop_size)} does not fit type {crop_type!r}: "
                "the relative types take numbers in (0, 1], absolute takes whole pixels, "
                "absolute_range takes (least, greatest)"
            )
        self._init({"crop_type": crop_type, "crop_size": crop_size})

    def get_transform(self, image: np.ndarray) -> CropTransform:
        """Draw the window: its size, then its top, then its left."""
        height, width = image.shape[:2]
        crop_h, crop_w = self.get_crop_size((height, width))
        top = np.random.randint(height - crop_h + 1)
        left = np.random.randint(width - crop_w + 1)
        return CropTransform(left, top, crop_w, crop_h)

    def get_crop_size(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Draw the window's height and width in pixels, for an image of this height and width."""
        size = list(image_size)
        if self.crop_type == "absolute":
            height, width = (min(int(c), s) for c, s in zip(self.crop_size, size, strict=True))
            return height, width
        if self.crop_type == "absolute_range":
            least, greatest = self.crop_size
            height, width = (np.random.randint(min(s, least), min(s, greatest) + 1) for s in size)
            return height, width
        share = np.asarray(self.crop_size, dtype=np.float32)
        if self.crop_type == "relative_range":
            share = share + np.random.rand(2) * (1 - share)
        height, width = (max(int(s * part + 0.5), 1) for s, part in zip(size, share, strict=True))
        return height, width
