"""Channels of a picture under Detectron2's augmentations, any number of them, floating point too.

Shape legend: H x W pixels, C channels.
"""

from typing import Any

import numpy as np
from detectron2.data import detection_utils as utils
from detectron2.data import transforms as T

from d2freq.errors import UserError
from d2freq.utils.pixels import PixelReader, refuse_deep
from d2freq.utils.pixels.resize import resize_channels

__all__ = ["RGB_ONLY", "ChannelInput", "check_augmentations", "read_channels", "transformed"]

# augmentations that mix red, green and blue: of other channels they would make nonsense
RGB_ONLY = ("RandomSaturation", "RandomLighting", "ColorAugSSDTransform")


def read_channels(record: dict, image_format: str, pixels: PixelReader | None) -> np.ndarray:
    """The picture of a record, (H, W, C): float32 by a reader, uint8 by Detectron2 without one.

    Raises:
        OSError, DatasetError: missing or broken; without a reader also of more bits or bands.
        SizeMismatchError: it is not as large as the record says.
    """
    if pixels is None:
        refuse_deep(record["file_name"])
        image = utils.read_image(record["file_name"], format=image_format)
    else:
        image = pixels.read(record["file_name"])
    utils.check_image_size(record, image)
    return image


def transformed(transform: Any, image: np.ndarray) -> np.ndarray:
    """An image after a transform; floats are resized with smoothing, as bytes are."""
    if image.dtype == np.uint8:
        return transform.apply_image(image)
    if isinstance(transform, T.TransformList):
        for step in transform.transforms:
            image = transformed(step, image)
        return image
    if isinstance(transform, T.ResizeTransform):
        return resize_channels(image, (transform.new_h, transform.new_w), transform.interp)
    return transform.apply_image(image)


class ChannelInput(T.AugInput):
    """What Detectron2's augmentations take, for channels of floats."""

    def transform(self, tfm: Any) -> None:
        """Apply a transform to the image."""
        self.image: np.ndarray = transformed(tfm, self.image)


def check_augmentations(names: list[str], channels: int) -> None:
    """Raise UserError for an augmentation that needs red, green and blue, of other channels."""
    wrong = [name for name in names if name in RGB_ONLY]
    if wrong and channels != 3:
        raise UserError(
            f"{wrong[0]} mixes red, green and blue, and the model takes {channels} channels: leave "
            "it out of the augmentations, or choose three bands (INPUT.PIXELS.BANDS)"
        )
