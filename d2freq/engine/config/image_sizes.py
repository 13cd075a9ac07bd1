"""How large a config makes the images that a detector sees."""

from typing import NamedTuple

__all__ = ["ImageSizes"]


class ImageSizes(NamedTuple):
    """Pixels; a short side of 0 means that images keep their size.

    Attributes:
        test: (short side, longest side) that testing resizes to.
        train: the same of training, the largest where it draws one of several.
        crop: (width, height) of training's crops out of the resized image; None without, and
            where they are a share of the image.
    """

    test: tuple[int, int]
    train: tuple[int, int]
    crop: tuple[int, int] | None
