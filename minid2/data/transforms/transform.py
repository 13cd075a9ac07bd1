"""Resizing, the one transform that fvcore does not have in the form wanted: by Pillow."""

import numpy as np
import torch
from fvcore.transforms.transform import Transform
from PIL import Image
from torch.nn import functional as F

NEAREST, BILINEAR, BICUBIC = 0, 2, 3  # Pillow's numbers, as they appear in configs
_FLOAT_MODES = {NEAREST: "nearest", BILINEAR: "bilinear", BICUBIC: "bicubic"}


class ResizeTransform(Transform):
    """Resize to a given size; bytes by Pillow (which smooths when shrinking), floats by torch."""

    def __init__(self, h: int, w: int, new_h: int, new_w: int, interp: int | None = None):
        """Describe the resize.

        Args:
            h, w: height and width of the images that will come.
            new_h, new_w: height and width to make of them.
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
