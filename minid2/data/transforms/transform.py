"""What fvcore does not have in the form wanted: resizing by Pillow, and rotation."""

import numpy as np
import torch
from fvcore.transforms.transform import CropTransform, Transform, TransformList
from PIL import Image
from torch.nn import functional as F

NEAREST, BILINEAR, BICUBIC = 0, 2, 3  # Pillow's numbers, as they appear in configs
_FLOAT_MODES = {NEAREST: "nearest", BILINEAR: "bilinear", BICUBIC: "bicubic"}


class ResizeTransform(Transform):
    """Resize to a given size; bytes by Pillow (which smooths when shrinking), floats by torch."""

    def __init__(self, h: int, w: int, new_h: int, new_w: int, interp: int | None = None):
        """Describe the resize.

        Args:
            h, w, new_h, new_w: height and width of the images that will come, and to make of them.
            interp: a Pillow resampling method; None is bilinear.
        """
        super().__init__()
        interp = BILINEAR if interp is None else interp
        self._set_attributes(locals())

    def apply_image(self, img: np.ndarray, interp: int | None = None) -> np.ndarray:
        """Resize an image.

        Args:
            img: (h, w) or (h, w, C), uint8 with up to 4 channels, or floating point, which takes
                the methods NEAREST, BILINEAR and BICUBIC only.
            interp: instead of the method given at construction.
        """
        assert img.shape[:2] == (self.h, self.w), f"made for {self.h}x{self.w}, got {img.shape}"
        method = self.interp if interp is None else interp
        if img.dtype != np.uint8:
            return self._resize_float(img, _FLOAT_MODES[method])
        grey = img.ndim == 3 and img.shape[2] == 1
        pillow = Image.fromarray(img[..., 0] if grey else img)
        resized = np.array(pillow.resize((self.new_w, self.new_h), method))
        return resized[..., None] if grey else resized

    def _resize_float(self, img: np.ndarray, mode: str) -> np.ndarray:
        # torch has no negative strides, which a flip before this leaves behind
        planes = torch.from_numpy(np.ascontiguousarray(img)).reshape(self.h, self.w, -1)
        resized = F.interpolate(
            planes.permute(2, 0, 1)[None],
            size=(self.new_h, self.new_w),
            mode=mode,
            align_corners=None if mode == "nearest" else False,
        )
        return resized[0].permute(1, 2, 0).numpy().reshape(self.new_h, self.new_w, *img.shape[2:])

    def apply_coords(self, coords: np.ndarray) -> np.ndarray:
        """Scale points x, y, (N, 2), in place; whole-number points stay whole, cut off."""
        coords[:] = coords * np.array([self.new_w / self.w, self.new_h / self.h])
        return coords

    def apply_segmentation(self, segmentation: np.ndarray) -> np.ndarray:
        """Resize a map of labels: the nearest label, never a mixture."""
        return self.apply_image(segmentation, interp=NEAREST)


class RotationTransform(Transform):
    """Rotate counterclockwise by OpenCV."""

    def __init__(
        self,
        h: int,
        w: int,
        angle: float,
        expand: bool = True,
        center: tuple[float, float] | None = None,
        interp: int | None = None,
    ):
        """Describe the rotation.

        Args:
            h, w, angle: height and width of the images that will come; degrees.
            expand: make the image as large as the rotated one, around its middle.
            center, interp: the point (x, y) that stays in its place, None for the middle;
                OpenCV's interpolation, None for linear.
        """
        import cv2

        super().__init__()
        middle = np.array([w / 2, h / 2])
        center = tuple(middle if center is None else center)  # type: ignore[assignment]
        interp = cv2.INTER_LINEAR if interp is None else interp
        cos, sin = abs(np.cos(np.deg2rad(angle))), abs(np.sin(np.deg2rad(angle)))
        bound_w, bound_h = w, h
        matrix = cv2.getRotationMatrix2D(center, angle, 1.0)  # type: ignore[arg-type]
        if expand:
            bound_w, bound_h = np.rint([h * sin + w * cos, h * cos + w * sin]).astype(int).tolist()
            matrix[:, 2] += (bound_w / 2, bound_h / 2) - matrix @ (*middle, 1.0)
        self._set_attributes(locals())

    def apply_image(self, img: np.ndarray, interp: int | None = None) -> np.ndarray:
        """Rotate an image (h, w) or (h, w, C); what comes in from outside is 0."""
        import cv2

        assert img.shape[:2] == (self.h, self.w), f"made for {self.h}x{self.w}, got {img.shape}"
        if img.size == 0 or self.angle % 360 == 0:
            return img
        # OpenCV counts from the centres of pixels, coordinates from their corners.
        matrix = self.matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
        method = self.interp if interp is None else interp
        rotated = cv2.warpAffine(img, matrix, (self.bound_w, self.bound_h), flags=method)
        return rotated.reshape(*rotated.shape[:2], *img.shape[2:])

    def apply_coords(self, coords: np.ndarray) -> np.ndarray:
        """Rotate points x, y, (N, 2)."""
        coords = np.asarray(coords, dtype=float)
        if len(coords) == 0 or self.angle % 360 == 0:
            return coords
        return coords @ self.matrix[:, :2].T + self.matrix[:, 2]

    def apply_segmentation(self, segmentation: np.ndarray) -> np.ndarray:
        """Rotate a map of labels: the nearest label, never a mixture."""
        import cv2

        return self.apply_image(segmentation, interp=cv2.INTER_NEAREST)

    def inverse(self) -> TransformList:
        """Rotate back, and cut the old size out of the middle."""
        if not self.expand:
            raise NotImplementedError("a rotation that cut corners off has no inverse")
        back = RotationTransform(self.bound_h, self.bound_w, -self.angle, interp=self.interp)
        left, top = (back.bound_w - self.w) // 2, (back.bound_h - self.h) // 2
        crop = CropTransform(left, top, self.w, self.h, back.bound_w, back.bound_h)
        return TransformList([back, crop])
