"""From an image's dataset dict to the square that a classifier sees.

Shape shorthand: a square of S x S pixels, three planes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

from d2freq.errors import UserError
from d2freq.utils.choices import choice
from d2freq.utils.pixels import PixelReader, read_rgb

__all__ = ["ImageMapper"]

FORMATS = ("RGB", "BGR")


class ImageMapper:
    """The usual augmentation of ImageNet, for Detectron2's train and test loaders.

    In training a random part of the image, resized to S and flipped at random; in evaluation the
    shorter side resized and the middle cut out. torchvision does it, bilinearly and with
    antialiasing, with draws from torch's generator, which the configuration's seed sets.

    Args:
        is_train: which of both.
        crop: S.
        resize: pixels of the shorter side in evaluation, there S at least.
        area: least and largest share of the image's area that the random part has.
        aspect: least and largest ratio of its width to its height.
        flip: probability of a horizontal flip in training.
        image_format: "RGB" or "BGR", the order of the planes.
        pixels: the reader of pictures of other depths and bands; None reads 8-bit RGB.

    Raises:
        UserError: a number out of range.
    """

    def __init__(
        self,
        is_train: bool,
        *,
        crop: int = 224,
        resize: int = 256,
        area: Sequence[float] = (0.08, 1.0),
        aspect: Sequence[float] = (3 / 4, 4 / 3),
        flip: float = 0.5,
        image_format: str = "RGB",
        pixels: PixelReader | None = None,
    ) -> None:
        at = "INPUT.CLASSIFICATION."
        if crop < 1 or (resize < crop and not is_train):
            raise UserError(
                f"{at}CROP is {crop}, {at}RESIZE_TEST {resize}: a square of 1 pixel at least, and "
                "images no smaller than it"
            )
        if len(area) != 2 or not 0 < area[0] <= area[1] <= 1:
            raise UserError(f"{at}AREA is {list(area)}: take two shares, 0 < least <= largest <= 1")
        if len(aspect) != 2 or not 0 < aspect[0] <= aspect[1]:
            raise UserError(f"{at}ASPECT is {list(aspect)}: take two ratios, 0 < least <= largest")
        if not 0 <= flip <= 1:
            raise UserError(f"{at}FLIP is {flip}: a probability is in [0, 1]")
        if pixels is None:
            choice(image_format, FORMATS, key="INPUT.FORMAT")
        self.pixels = pixels
        self.image_format = image_format
        self.crop = crop
        self.steps = (
            [
                v2.RandomResizedCrop(crop, scale=tuple(area), ratio=tuple(aspect)),
                v2.RandomHorizontalFlip(flip),
            ]
            if is_train
            else [v2.Resize(resize), v2.CenterCrop(crop)]
        )

    def __call__(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record with ``image`` uint8 (3, S, S), or by the reader float32 (C, S, S).

        Raises:
            DatasetError: the file cannot be read, see :func:`d2freq.utils.pixels.read_rgb`.
        """
        if self.pixels is not None:
            channels = self.pixels.read(record["file_name"]).transpose(2, 0, 1)
            tensor = torch.from_numpy(np.ascontiguousarray(channels))
            for step in self.steps:
                tensor = step(tensor)
            return {**record, "image": tensor.contiguous()}
        image = Image.fromarray(read_rgb(record["file_name"]))
        for step in self.steps:
            image = step(image)
        pixels = np.asarray(image)
        if self.image_format == "BGR":
            pixels = pixels[:, :, ::-1]
        planes = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
        return {**record, "image": planes}
