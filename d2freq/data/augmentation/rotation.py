"""Rotation by right angles, which is exact, and by small ones.

H x W pixels, C channels, N boxes (x0, y0, x1, y1); pixel edges at whole numbers, so that the centre
of an image is (W / 2, H / 2). Angles are counterclockwise as one sees the image.
"""

import cv2
import numpy as np
from detectron2.data.transforms import Augmentation
from fvcore.transforms.transform import NoOpTransform, Transform

from d2freq.errors import UserError

# ruff: noqa: NPY002 - the global generator is the one that the loader seeds

__all__ = ["FILL", "RandomAngle", "RandomRotation90", "Rotate90Transform", "RotateTransform"]

FILL = 114  # the grey of what no image covers, which is near the mean of ImageNet


class Rotate90Transform(Transform):
    """Turn an image of ``h`` x ``w`` by ``turns`` times 90 degrees; no pixel changes its value."""

    def __init__(self, h: int, w: int, turns: int) -> None:
        super().__init__()
        self._set_attributes(locals())

    def apply_image(self, img: np.ndarray) -> np.ndarray:
        """(H, W, ...) to (W, H, ...), or to (H, W, ...) for two turns."""
        return np.ascontiguousarray(np.rot90(img, self.turns))

    def apply_coords(self, coords: np.ndarray) -> np.ndarray:
        """Points (N, 2)."""
        x, y = coords[:, 0], coords[:, 1]
        turned = {
            0: (x, y),
            1: (y, self.w - x),
            2: (self.w - x, self.h - y),
            3: (self.h - y, x),
        }[self.turns % 4]
        return np.stack(turned, axis=1)

    def inverse(self) -> Transform:
        """The turn back."""
        odd = self.turns % 2
        return Rotate90Transform(*((self.w, self.h) if odd else (self.h, self.w)), -self.turns % 4)


class RotateTransform(Transform):
    """Turn an image of ``h`` x ``w`` by ``angle`` degrees about its centre; its size stays.

    A box becomes the box about the turned ellipse that touches its four sides. The box about its
    turned corners would always hold the object, but grow: 10 x 10 pixels by 10 degrees to 11.6, an
    IoU of 0.75 with what an object without corners needs.
    """

    keeps_axes = False

    def __init__(self, h: int, w: int, angle: float) -> None:
        super().__init__()
        radians = np.deg2rad(angle)
        cos, sin = np.cos(radians), np.sin(radians)
        turn = np.array([[cos, sin], [-sin, cos]])
        centre = np.array([w / 2, h / 2])
        self._set_attributes(locals())

    def apply_image(self, img: np.ndarray) -> np.ndarray:
        """(H, W, C), bilinear; what no pixel covers is FILL."""
        return self._warp(img, cv2.INTER_LINEAR, FILL)

    def apply_segmentation(self, segmentation: np.ndarray) -> np.ndarray:
        """(H, W), nearest; what no pixel covers is 0."""
        return self._warp(segmentation, cv2.INTER_NEAREST, 0)

    def apply_coords(self, coords: np.ndarray) -> np.ndarray:
        """Points (N, 2)."""
        return (coords - self.centre) @ self.turn.T + self.centre

    def apply_box(self, box: np.ndarray) -> np.ndarray:
        """Boxes (N, 4); see above."""
        box = np.asarray(box, np.float64).reshape(-1, 4)
        middle = self.apply_coords((box[:, :2] + box[:, 2:]) / 2)
        half = (box[:, 2:] - box[:, :2]) / 2
        half = np.sqrt(half**2 @ (self.turn**2).T)
        return np.concatenate([middle - half, middle + half], axis=1)

    def _warp(self, pixels: np.ndarray, method: int, fill: float) -> np.ndarray:
        # OpenCV counts from the centre of the first pixel, half a pixel further in
        shift = self.centre - 0.5 - self.turn @ (self.centre - 0.5)
        matrix = np.concatenate([self.turn, shift[:, None]], axis=1)
        planes = pixels.reshape(*pixels.shape[:2], -1)
        turned = [
            cv2.warpAffine(
                np.ascontiguousarray(planes[..., k : k + 4]),  # as many as OpenCV takes
                matrix,
                (self.w, self.h),
                flags=method,
                borderMode=cv2.BORDER_CONSTANT,
                borderValue=(fill,) * 4,
            ).reshape(self.h, self.w, -1)
            for k in range(0, planes.shape[2], 4)
        ]
        return np.concatenate(turned, axis=2).reshape(pixels.shape)


class RandomRotation90(Augmentation):
    """Turn by 90, 180 or 270 degrees; boxes and masks stay exact.

    For images from above, where no direction is the upright one.
    """

    def __init__(self, prob: float = 0.75) -> None:
        """Turn with a probability ``prob``; 0.75 makes the four directions equally likely."""
        check_probability("RandomRotation90", prob)
        self._init(locals())

    def get_transform(self, image: np.ndarray) -> Transform:
        """Draw whether to turn, then how often."""
        if np.random.uniform() >= self.prob:
            return NoOpTransform()
        height, width = image.shape[:2]
        return Rotate90Transform(height, width, int(np.random.randint(1, 4)))


class RandomAngle(Augmentation):
    """Turn by an angle drawn from -``angle`` to ``angle`` degrees; the image keeps its size."""

    def __init__(self, angle: float, *, prob: float = 1.0) -> None:
        """Turn with a probability ``prob`` by at most ``angle`` degrees, above 0 and up to 45."""
        check_probability("RandomAngle", prob)
        if not 0 < angle <= 45:
            raise UserError(f"RandomAngle: angle {angle}: an angle is above 0 and at most 45")
        self._init(locals())

    def get_transform(self, image: np.ndarray) -> Transform:
        """Draw whether to turn, then how far."""
        if np.random.uniform() >= self.prob:
            return NoOpTransform()
        height, width = image.shape[:2]
        return RotateTransform(height, width, float(np.random.uniform(-self.angle, self.angle)))


def check_probability(name: str, prob: float) -> None:
    """Raise UserError for a probability outside of [0, 1]."""
    if not 0 <= prob <= 1:
        raise UserError(f"{name}: prob {prob}: a probability is from 0 to 1")
