"""Augmentations that cut out a window.

Images are (H, W) or (H, W, C). Sizes are height, width. All chance comes from ``numpy.random``.
"""

import numpy as np
from fvcore.transforms.transform import CropTransform, PadTransform, Transform, TransformList

from .augmentation import Augmentation

# ruff: noqa: NPY002 - the global generator is the one that the loader seeds in each worker


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
        share: np.ndarray = np.asarray(self.crop_size, dtype=np.float32)
        if self.crop_type == "relative_range":
            share = share + np.random.rand(2) * (1 - share)
        height, width = (max(int(s * part + 0.5), 1) for s, part in zip(size, share, strict=True))
        return height, width
