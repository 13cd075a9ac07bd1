"""Mosaic: four images around a random point, on a canvas as large as the first of them.

H x W pixels of the first image, C channels.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from fvcore.transforms.transform import CropTransform

from d2freq.data.augmentation.rotation import FILL, check_probability
from d2freq.data.augmentation.sample import Partner, Sample, SampleStep, SeenObject
from d2freq.errors import UserError

# ruff: noqa: NPY002 - the global generator is the one that the loader seeds

__all__ = ["Mosaic"]


class Mosaic(SampleStep):
    """Windows of four images, the sample's own in one of the corners.

    Unlike YOLO's mosaic it resizes nothing: tiny objects would vanish. Each corner shows a random
    window of its image, or all of an image that is smaller, on grey. So the size of the image, and
    on average the number of objects, stay as they are, and four surroundings meet.
    """

    def __init__(self, prob: float = 0.5, *, centre: Sequence[float] = (0.25, 0.75)) -> None:
        """Set the odds.

        Args:
            prob: how often.
            centre: least and greatest share of height and width at which the images meet.
        """
        check_probability("Mosaic", prob)
        if len(centre) != 2 or not 0 < centre[0] <= centre[1] < 1:
            raise UserError(f"Mosaic: centre {list(centre)}: two shares between 0 and 1, in order")
        self.prob, self.centre = prob, tuple(centre)

    def __repr__(self) -> str:
        return f"Mosaic(prob={self.prob}, centre={self.centre})"

    def __call__(self, sample: Sample, partner: Partner) -> None:
        """See :class:`SampleStep`; draws the point, the own corner, then each partner's window."""
        if np.random.uniform() >= self.prob:
            return
        height, width = sample.size
        middle = np.random.uniform(self.centre[0], self.centre[1], size=2) * (height, width)
        y, x = np.clip(np.round(middle).astype(int), 1, np.maximum([height - 1, width - 1], 1))
        own = np.random.randint(4)
        canvas = np.full_like(sample.image, FILL)
        objects: list[SeenObject] = []
        for corner in range(4):
            lower, right = divmod(corner, 2)
            top, bottom = (y, height) if lower else (0, y)
            left, end = (x, width) if right else (0, x)
            part = Sample(sample.image, sample.objects) if corner == own else partner()
            _cut(part, bottom - top, end - left)
            high, wide = part.size
            # a smaller image lies at the point where the four meet
            at_y, at_x = (top if lower else bottom - high), (left if right else end - wide)
            canvas[at_y : at_y + high, at_x : at_x + wide] = part.image
            objects += [_placed(each, at_x, at_y, (height, width)) for each in part.objects]
        sample.image, sample.objects = canvas, objects


def _cut(part: Sample, height: int, width: int) -> None:
    """Cut a random window of at most that size."""
    high, wide = min(height, part.size[0]), min(width, part.size[1])
    y = int(np.random.randint(part.size[0] - high + 1))
    x = int(np.random.randint(part.size[1] - wide + 1))
    part.transform(CropTransform(x, y, wide, high))


def _placed(each: SeenObject, x: int, y: int, size: tuple[int, int]) -> SeenObject:
    """An object of a part on the canvas; a bitmap is enlarged to the canvas."""
    mask = each.mask
    moved = each.shifted(x, y)
    if isinstance(mask, np.ndarray):
        whole = np.zeros(size, mask.dtype)
        whole[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
        moved = replace(moved, mask=whole)
    return moved
