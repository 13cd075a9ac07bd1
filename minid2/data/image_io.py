"""Images from files, and between colour formats.

H x W pixels, C channels. The formats: any mode of Pillow ("RGB", "L" ...), "BGR", and
"YUV-BT.601".
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image, ImageOps

from ..utils.file_io import PathManager

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

__all__ = ["convert_PIL_to_numpy", "convert_image_to_rgb", "read_image"]

YUV = "YUV-BT.601"
# Rows are Y, U, V from R, G, B, and R, G, B from Y, U, V, all in [0, 1] (ITU-R BT.601).
_RGB_TO_YUV = np.array(
    [[0.299, 0.587, 0.114], [-0.14713, -0.28886, 0.436], [0.615, -0.51499, -0.10001]]
)
_YUV_TO_RGB = np.array([[1.0, 0.0, 1.13983], [1.0, -0.39465, -0.58060], [1.0, 2.03211, 0.0]])


def read_image(file_name: str, format: str | None = None) -> np.ndarray:
    """Read an image, upright: an orientation in its EXIF data is applied.

    Args:
        file_name: path or address of the image.
        format: what to convert to; None keeps the mode of the file.

    Returns:
        (H, W, C) in [0, 255], uint8; (H, W) where ``format`` is None and the file has one
        channel; float64 for "YUV-BT.601", with Y in [0, 1].

    Raises:
        FileNotFoundError: there is no such file.
        OSError: the file is cut off, or no image.
        ValueError: an unknown format.
    """
    with PathManager.open(file_name, "rb") as file:
        try:
            image = Image.open(file)
            image.load()  # here the pixels are read, so that a cut-off file is found now
        except (OSError, SyntaxError, EOFError, ValueError) as error:
            raise OSError(
                f"cannot read image '{file_name}': {error}. The file is damaged, cut off or no "
                "image; copy it again from its source, or take its record out of the data set"
            ) from error
    return convert_PIL_to_numpy(ImageOps.exif_transpose(image), format)


def convert_PIL_to_numpy(image: "PILImage", format: str | None) -> np.ndarray:
    """Turn a Pillow image into an array; see :func:`read_image` for format and result.

    Raises:
        ValueError: an unknown format.
    """
    if format is not None:
        mode = "RGB" if format in ("BGR", YUV) else format
        try:
            image = image.convert(mode)
        except (ValueError, KeyError) as error:
            raise ValueError(
                f"image format {format!r} (INPUT.FORMAT) cannot be made from mode {image.mode!r}: "
                f"choose RGB, BGR, L, {YUV} or another mode of Pillow"
            ) from error
    array = np.array(image)  # a copy that can be written to, which torch wants
    if format == "BGR":
        return array[:, :, ::-1]
    if format == "L":
        return array[:, :, np.newaxis]
    if format == YUV:
        return np.dot(array / 255.0, _RGB_TO_YUV.T)
    return array


def convert_image_to_rgb(image: np.ndarray | torch.Tensor, format: str) -> np.ndarray:
    """Turn an image of a given format into RGB, for drawing.

    Args:
        image: (H, W, C).
        format: the format it is in, see :func:`read_image`.

    Returns:
        (H, W, 3) in [0, 255]; uint8, or floating point where the input was.
    """
    array = image.detach().cpu().numpy() if isinstance(image, torch.Tensor) else np.asarray(image)
    if format == "RGB":
        return array
    if format == "BGR":
        return array[:, :, ::-1]
    if format == YUV:
        return np.dot(array, _YUV_TO_RGB.T) * 255.0
    bytes_ = np.ascontiguousarray(array.astype(np.uint8))
    height, width = bytes_.shape[:2]
    return np.asarray(Image.frombytes(format, (width, height), bytes_.tobytes()).convert("RGB"))
