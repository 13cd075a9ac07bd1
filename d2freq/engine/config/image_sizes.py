"""How large a config makes the images that a detector sees: resizes, and windows cut out."""

from collections.abc import Sequence
from typing import NamedTuple

from d2freq.errors import UserError

__all__ = ["ImageSizes", "Window", "after_crops", "most", "window_of"]


class Window(NamedTuple):
    """What training cuts out of a picture; a size that is drawn is the middle of its range.

    Attributes:
        size: (width, height) in pixels, or shares of the picture.
        shares: whether ``size`` holds shares.
        short_side: to which the picture is resized for the cut alone; 0 where it is not.
    """

    size: tuple[float, float]
    shares: bool = False
    short_side: float = 0.0


class ImageSizes(NamedTuple):
    """Pixels; a short side of 0 means that images keep their size.

    Attributes:
        test: (short side, longest side) that testing resizes to.
        train: the same of training, the largest where it draws one of several; a longest side of 0
            is no limit.
        crop: (width, height) of the windows that training cuts out of most images; None without.
        share: the same as shares of the image, where the config says it so; None otherwise.
        crop_first: whether windows are cut out of the image as it lies on disk, and ``train`` is
            what the window is then resized to.
    """

    test: tuple[int, int]
    train: tuple[int, int]
    crop: tuple[int, int] | None = None
    share: tuple[float, float] | None = None
    crop_first: bool = False

    def crop_of(self, picture: tuple[int, int]) -> tuple[int, int] | None:
        """The windows in pixels, where pictures of the training are (width, height); (0, 0) where
        nobody knows, and then None for shares.
        """
        if self.share is None or not (self.crop_first or not self.train[0]) or not min(picture):
            return self.crop
        return round(self.share[0] * picture[0]), round(self.share[1] * picture[1])


def most(probability: float) -> bool:
    """Whether a step that comes by chance is what most images go through."""
    return probability > 0.5


def window_of(kind: str, size: Sequence[float]) -> Window:
    """The window of Detectron2's RandomCrop.

    Args:
        kind: its ``crop_type``.
        size: its ``crop_size``: height and width; least and greatest side for a range.

    Raises:
        UserError: Detectron2 has no such kind.
    """
    first, second = float(size[0]), float(size[1])
    if kind == "absolute":
        return Window((second, first))
    if kind == "absolute_range":
        middle = (first + second) / 2
        return Window((middle, middle))
    if kind == "relative":
        return Window((second, first), shares=True)
    if kind == "relative_range":
        return Window(((1 + second) / 2, (1 + first) / 2), shares=True)
    raise UserError(
        f"INPUT.CROP.TYPE {kind}: a crop is absolute, absolute_range, relative or relative_range"
    )


def after_crops(
    test: tuple[int, int], train: tuple[int, int], window: Window | None, *, first: bool
) -> ImageSizes:
    """The sizes of a training that cuts a window out, or none.

    Args:
        first: the window is cut before the resize to ``train``.
    """
    if window is None:
        return ImageSizes(test, train)
    if window.shares:
        return ImageSizes(test, train, share=window.size, crop_first=first)
    size = round(window.size[0]), round(window.size[1])
    if not window.short_side:
        return ImageSizes(test, train, size, crop_first=first)
    if not train[0] or not first:
        return ImageSizes(test, (round(window.short_side), 0), size)
    # two resizes are one: of the picture to the first length, of the window in it to the second
    short = round(window.short_side * train[0] / min(window.size))
    return ImageSizes(test, (short, 0), (train[0], train[0]))
