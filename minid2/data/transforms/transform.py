"""The two transforms that fvcore does not have: resizing by Pillow, and a stretched cut-out.

H x W is the image, C its channels; images are (H, W), (H, W, C); points (N, 2) as x, y.
"""

import numpy as np
import torch
from fvcore.transforms.transform import Transform
from PIL import Image
from torch.nn import functional as F

__all__ = ["ExtentTransform", "ResizeTransform"]

# plain numbers, as they appear in configs
NEAREST, BILINEAR, BICUBIC = (
    int(Image.Resampling[name]) for name in ("NEAREST", "BILINEAR", "BICUBIC")
)
_FLOAT_MODES = {NEAREST: "nearest", BILINEAR: "bilinear", BICUBIC: "bicubic"}


class ResizeTransform(Transform):
    """Resize to a given size; bytes by Pillow (which smooths when shrinking), floats by torch."""

    def __init__(self, h: int, w: int, new_h: int, new_w: int, interp: int | None = None):
        """Describe the resize.

        Args:
            h: height of the images that will come.
            w: their width.
            new_h: height to make of it.
            new_w: width likewise.
            interp: a Pillow resampling method; None is bilinear.
        """
        super().__init__()
        interp = BILINEAR if interp is None else interp
        self._set_attributes({"h": h, "w": w, "new_h": new_h, "new_w": new_w, "interp": interp})

    def apply_image(self, img: np.ndarray, interp: int | None = None) -> np.ndarray:
        """Resize an image.

        Args:
            img: (h, w) or (h, w, C), uint8 with up to 4 channels, or floating point.
            interp: instead of the method given at construction.

        Raises:
            AssertionError: the image has another size than was announced.
            ValueError: the method exists for uint8 images only.
        """
        assert img.shape[:2] == (self.h, self.w), (
            f"ResizeTransform was made for {self.h}x{self.w} images, "
            f"got {img.shape[0]}x{img.shape[1]}"
        )
        method = self.interp if interp is None else interp
        if img.dtype != np.uint8:
            return self._resize_float(img, method)
        grey = img.ndim == 3 and img.shape[2] == 1
        pillow = Image.fromarray(img[..., 0] if grey else img)
        resized = np.array(pillow.resize((self.new_w, self.new_h), method))
        return resized[..., None] if grey else resized

    def _resize_float(self, img: np.ndarray, method: int) -> np.ndarray:
        if method not in _FLOAT_MODES:
            raise ValueError(
                f"Pillow resampling method {method} needs a uint8 image, got {img.dtype}; floating "
                "point images take NEAREST, BILINEAR or BICUBIC"
            )
        mode = _FLOAT_MODES[method]
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
        """Scale points, (N, 2), in place; whole-number points stay whole, cut off."""
        coords[:] = coords * np.array([self.new_w / self.w, self.new_h / self.h])
        return coords

    def apply_segmentation(self, segmentation: np.ndarray) -> np.ndarray:
        """Resize a map of labels: the nearest label, never a mixture."""
        return self.apply_image(segmentation, interp=NEAREST)

    def inverse(self) -> "ResizeTransform":
        """The resize back; the pixels lost on the way stay lost."""
        return ResizeTransform(self.new_h, self.new_w, self.h, self.w, self.interp)


class ExtentTransform(Transform):
    """Take a rectangle, also beyond the border, and stretch it to a given size."""

    def __init__(
        self,
        src_rect: tuple[float, float, float, float],
        output_size: tuple[int, int],
        interp: int = BILINEAR,
        fill: int = 0,
    ):
        """Describe the cut-out.

        Args:
            src_rect: x0, y0, x1, y1 in the source image.
            output_size: height, width of the result.
            interp: a Pillow resampling method.
            fill: what lies beyond the source image.
        """
        super().__init__()
        self._set_attributes(
            {"src_rect": src_rect, "output_size": output_size, "interp": interp, "fill": fill}
        )

    def apply_image(self, img: np.ndarray, interp: int | None = None) -> np.ndarray:
        """Cut out of an (H, W) or (H, W, C) uint8 image."""
        height, width = self.output_size
        grey = img.ndim == 3 and img.shape[2] == 1
        result = Image.fromarray(img[..., 0] if grey else img).transform(
            size=(width, height),
            method=Image.Transform.EXTENT,
            data=self.src_rect,
            resample=self.interp if interp is None else interp,
            fill=self.fill,
        )
        return np.asarray(result)[..., None] if grey else np.asarray(result)

    def apply_coords(self, coords: np.ndarray) -> np.ndarray:
        """Map points, (N, 2), to float32 points of the result."""
        x0, y0, x1, y1 = self.src_rect
        height, width = self.output_size
        scale = np.array([width / (x1 - x0), height / (y1 - y0)], dtype=np.float32)
        return (coords.astype(np.float32) - np.array([x0, y0], dtype=np.float32)) * scale

    def apply_segmentation(self, segmentation: np.ndarray) -> np.ndarray:
        """Cut out of a map of labels, by nearest neighbour."""
        return self.apply_image(segmentation, interp=NEAREST)
