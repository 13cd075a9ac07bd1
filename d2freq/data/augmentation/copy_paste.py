"""Copy-paste of tiny objects (Kisantal et al., 2019): more of them, at new places.

H x W pixels, C channels, h x w of a patch; boxes (x0, y0, x1, y1).
"""

from dataclasses import replace
from typing import Any

import numpy as np

from d2freq.data.augmentation.rotation import check_probability
from d2freq.data.augmentation.sample import Partner, Sample, SampleStep, SeenObject
from d2freq.data.tiles.objects import clip_polygon
from d2freq.errors import UserError
from d2freq.utils.choices import choice

# ruff: noqa: NPY002 - the global generator is the one that the loader seeds

__all__ = ["CopyPaste"]

TRIES = 20  # places that are tried for a copy before it is given up
MARGIN = 2  # pixels around the box that come along and fade out, so that no edge is learned


class CopyPaste(SampleStep):
    """Paste copies of whole tiny objects where they touch no other object.

    A copy is mirrored at random, lies within the image, and has a box and, where there are masks, a
    mask of its own. With a mask its pixels alone are pasted, else the box with a margin that fades
    out. A copy that finds no room in 20 tries is left out.
    """

    def __init__(
        self,
        prob: float = 0.5,
        *,
        copies: int = 3,
        max_size: float = 32.0,
        source: str = "image",
    ) -> None:
        """Set the odds.

        Args:
            prob: how often.
            copies: how many copies an image gets.
            max_size: the largest square root of a box's area that is copied, in pixels.
            source: "image": objects of the image itself, which fit its light and resolution.
                "dataset": of another image, drawn anew each time.
        """
        check_probability("CopyPaste", prob)
        if copies < 1:
            raise UserError(f"CopyPaste: copies {copies}: at least 1")
        self.source = choice(source, ("image", "dataset"), key="CopyPaste: source")
        self.prob, self.copies, self.max_size = prob, copies, max_size

    def __repr__(self) -> str:
        about = f"prob={self.prob}, copies={self.copies}, max_size={self.max_size}"
        return f"CopyPaste({about}, source={self.source!r})"

    def __call__(self, sample: Sample, partner: Partner) -> None:
        """See :class:`SampleStep`; draws for each copy the object, its mirroring, its places."""
        if np.random.uniform() >= self.prob:
            return
        donor = partner() if self.source == "dataset" else sample
        tiny = [each for each in donor.objects if self._is_fit(each)]
        if not tiny:
            return
        original, sample.image = donor.image, sample.image.copy()
        for _ in range(self.copies):
            _paste(sample, original, tiny[np.random.randint(len(tiny))])

    def _is_fit(self, each: SeenObject) -> bool:
        return not each.crowd and each.visible > 1 - 1e-9 and 1 <= each.size <= self.max_size


def _paste(sample: Sample, donor: np.ndarray, each: SeenObject) -> None:
    """Paste one object of the image ``donor`` (H, W, C), if there is room."""
    x0, y0 = np.floor(each.box[:2]).astype(int) - MARGIN
    x1, y1 = np.ceil(each.box[2:]).astype(int) + MARGIN
    x0, y0 = max(x0, 0), max(y0, 0)
    x1, y1 = min(x1, donor.shape[1]), min(y1, donor.shape[0])
    patch, alpha = donor[y0:y1, x0:x1], _alpha(each, x0, y0, x1, y1)
    wide, high = x1 - x0, y1 - y0
    copy = each.shifted(-x0, -y0)
    if isinstance(each.mask, np.ndarray):
        copy = replace(copy, mask=each.mask[y0:y1, x0:x1])
    for axis, length in ((1, wide), (0, high)):
        if np.random.uniform() < 0.5:
            patch, alpha = np.flip(patch, axis), np.flip(alpha, axis)
            copy = _mirrored(copy, axis, length)
    place = _free_place(sample, wide, high)
    if place is None:
        return
    x, y = place
    target = sample.image[y : y + high, x : x + wide]
    weight = alpha.reshape(*alpha.shape, *[1] * (target.ndim - 2))
    mixed = patch * weight + target * (1 - weight)
    whole = np.rint(mixed) if target.dtype.kind in "iu" else mixed
    sample.image[y : y + high, x : x + wide] = whole.astype(target.dtype)
    copy = copy.shifted(x, y)
    if isinstance(copy.mask, np.ndarray):
        whole = np.zeros(sample.size, copy.mask.dtype)
        whole[y : y + high, x : x + wide] = copy.mask
        copy = replace(copy, mask=whole)
    sample.objects = [*sample.objects, copy]


def _alpha(each: SeenObject, x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """(h, w) weights of the patch: its mask, or 1 in the box and less in the margin."""
    if each.mask is not None:
        return _bitmap(each.mask, x0, y0, x1, y1).astype(np.float64)
    sides = []
    for low, high, first, last in ((y0, y1, each.box[1], each.box[3]), (x0, x1, *each.box[::2])):
        pixel = np.arange(low, high)
        beyond = np.maximum(np.floor(first) - pixel, pixel + 1 - np.ceil(last))
        sides.append(np.clip(1 - beyond / (MARGIN + 1), 0, 1))
    return np.minimum(sides[0][:, None], sides[1][None])


def _bitmap(mask: Any, x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    if isinstance(mask, np.ndarray):
        return mask[y0:y1, x0:x1] > 0
    import cv2

    found = np.zeros((y1 - y0, x1 - x0), np.uint8)
    frame = np.array([x0, y0, x1, y1], np.float64)
    for ring in mask:
        corners = clip_polygon(ring, frame) - (x0, y0)
        # a pixel belongs to it where its centre does
        cv2.fillPoly(found, [np.round(corners * 16 - 8).astype(np.int32)], 1, shift=4)
    return found > 0


def _mirrored(each: SeenObject, axis: int, length: int) -> SeenObject:
    """Mirror within a patch of ``length`` along x (axis 1) or y (axis 0)."""
    at = 1 - axis  # of the coordinate
    box = each.box.copy()
    box[[at, at + 2]] = length - each.box[[at + 2, at]]
    mask = each.mask
    if isinstance(mask, list):
        mask = [np.where(np.arange(2) == at, length - ring, ring) for ring in mask]
    elif mask is not None:
        mask = np.flip(mask, axis)
    return replace(each, box=box, mask=mask)


def _free_place(sample: Sample, width: int, height: int) -> tuple[int, int] | None:
    """Left and top of a window that no object reaches into; None where none was found."""
    room_y, room_x = sample.size[0] - height, sample.size[1] - width
    if min(room_x, room_y) < 0:
        return None
    taken = sample.boxes
    for _ in range(TRIES):
        x, y = int(np.random.randint(room_x + 1)), int(np.random.randint(room_y + 1))
        low = np.maximum(taken[:, :2], (x, y))
        high = np.minimum(taken[:, 2:], (x + width, y + height))
        if not (high > low).all(axis=1).any():
            return x, y
    return None
