"""Rotation, scale jitter, and a chance for any other augmentation.

Images are (H, W) or (H, W, C). Sizes are height, width. All chance comes from ``numpy.random``.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from fvcore.transforms.transform import NoOpTransform, Transform

from .augmentation import Augmentation
from .transform import BILINEAR, ResizeTransform, RotationTransform

# ruff: noqa: NPY002 - the global generator is the one that the loader seeds in each worker


class RandomApply(Augmentation):
    """Another augmentation or transform, with a probability."""

    def __init__(self, tfm_or_aug: Augmentation | Transform, prob: float = 0.5):
        """Wrap ``tfm_or_aug``; ``prob`` lies in [0, 1]."""
        assert 0.0 <= prob <= 1.0, f"a probability lies in [0, 1], got {prob}"
        self.aug, self.prob = tfm_or_aug, prob

    def _rand_range(self) -> float:
        return np.random.uniform(0.0, 1.0)

    def get_transform(self, *args: Any) -> Transform:
        """That of the other one, or none."""
        if self._rand_range() >= self.prob:
            return NoOpTransform()
        return self.aug.get_transform(*args) if isinstance(self.aug, Augmentation) else self.aug

    def __call__(self, aug_input: Any) -> Transform:
        # An augmentation may look at more of the input than the image: it is called itself.
        chosen = self.aug if self._rand_range() < self.prob else NoOpTransform()
        if isinstance(chosen, Augmentation):
            return chosen(aug_input)
        aug_input.transform(chosen)
        return chosen


class RandomRotation(Augmentation):
    """Rotate by a random angle around a random point."""

    def __init__(
        self,
        angle: float | Sequence[float],
        expand: bool = True,
        center: Sequence[Sequence[float]] | None = None,
        sample_style: str = "range",
        interp: int | None = None,
    ):
        """Set what is drawn.

        Args:
            angle: degrees counterclockwise: two limits for "range", all choices for "choice".
            expand: make the image as large as the rotated one; else its size stays.
            center: points (x, y) in shares of width and height, two or all as the angles; None
                is the middle. Without effect where the image is expanded.
            sample_style: "range" or "choice".
            interp: OpenCV's interpolation; None is linear.
        """
        assert sample_style in ("range", "choice"), f"sample_style: got {sample_style!r}"
        if isinstance(angle, (int, float)):
            angle = (angle, angle)
        if center is not None and isinstance(center[0], (int, float)):
            center = (center, center)  # type: ignore[assignment]
        self._init(locals())

    def get_transform(self, image: np.ndarray) -> Transform:
        """Draw the angle, then the point."""
        height, width = image.shape[:2]
        center: Any = None
        if self.sample_style == "range":
            angle = np.random.uniform(self.angle[0], self.angle[1])
            if self.center is not None:
                low, high = self.center
                center = [np.random.uniform(low[axis], high[axis]) for axis in (0, 1)]
        else:
            angle = np.random.choice(self.angle)
            if self.center is not None:
                center = self.center[np.random.choice(len(self.center))]
        if angle % 360 == 0:
            return NoOpTransform()
        if center is not None:
            center = (width * center[0], height * center[1])
        return RotationTransform(height, width, angle, self.expand, center, self.interp)


class ResizeScale(Augmentation):
    """Fit the image into a target size times a random scale, and keep its aspect ratio."""

    def __init__(
        self,
        min_scale: float,
        max_scale: float,
        target_height: int,
        target_width: int,
        interp: int = BILINEAR,
    ):
        """Set the range of scales, the target, and a Pillow resampling method."""
        self._init(locals())

    def get_transform(self, image: np.ndarray) -> ResizeTransform:
        """Draw the scale."""
        height, width = image.shape[:2]
        scale = np.random.uniform(self.min_scale, self.max_scale)
        ratio = min(self.target_height * scale / height, self.target_width * scale / width)
        new_h, new_w = (int(np.round(side * ratio)) for side in (height, width))
        return ResizeTransform(height, width, new_h, new_w, self.interp)
