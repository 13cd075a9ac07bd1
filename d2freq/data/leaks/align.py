"""Whether two images show the same where a shift lays one over the other: pixel by pixel.

A hash can err; this is the proof. Brightness and contrast may differ, detail has to agree.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from d2freq.data.leaks.anchors import resize
from d2freq.utils.pixels import read_grey

__all__ = ["Alignment", "Guess", "Overlap", "align"]

SEARCH = 4  # pixels around the guess
LARGE = 1024  # of a larger overlap the middle decides the shift
DETAIL = 8.0  # pixels; what a blur of this sigma leaves behind counts as detail
FLAT = 1.0  # grey levels; detail weaker than that is noise and proves nothing
LEAST = 32  # pixels; a narrower overlap is not looked at


@dataclass(frozen=True)
class Guess:
    """Both images at these sizes, and the shift from a pixel of the first to one of the second."""

    size: tuple[int, int]  # width, height
    other_size: tuple[int, int]
    shift: tuple[int, int]  # x, y


@dataclass(frozen=True)
class Overlap:
    """Where the first image, at its size of a guess, lies in itself and in the second."""

    box: tuple[int, int, int, int]  # x, y, width, height
    other_box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Alignment:
    """What the pixels of an overlap say."""

    overlap: Overlap
    difference: float  # mean absolute, in grey levels, after brightness and contrast were fitted
    correlation: float  # of detail, -1 to 1


def align(path: str, other_path: str, guesses: list[Guess], least: float) -> Alignment | None:
    """The first guess that the pixels confirm, in original pixels; None where there is none.

    Args:
        path: the first image's file.
        other_path: the second's.
        guesses: shifts to try, best first.
        least: correlation of detail from which two images show the same.
    """
    image, other = _read(path), _read(other_path)
    if image is None or other is None:
        return None
    for guess in guesses:
        frame, other_frame = resize(image, guess.size), resize(other, guess.other_size)
        shift = _refine(frame, other_frame, guess.shift)
        overlap = _overlap(frame, other_frame, shift)
        if overlap is None:
            continue
        part, other_part = _cut(frame, overlap.box), _cut(other_frame, overlap.other_box)
        correlation = _correlation(part, other_part)
        if correlation >= least:
            box = _scaled(overlap.box, guess.size, image)
            other_box = _scaled(overlap.other_box, guess.other_size, other)
            difference = _difference(part, other_part)
            return Alignment(Overlap(box, other_box), difference, correlation)
    return None


@lru_cache(maxsize=16)  # pairs come sorted, so that an image is decoded once for many partners
def _read(path: str) -> np.ndarray | None:
    return read_grey(path)


def _refine(image: np.ndarray, other: np.ndarray, shift: tuple[int, int]) -> tuple[int, int]:
    """The shift within 4 pixels of the guess at which the images correlate best."""
    overlap = _overlap(image, other, shift)
    if overlap is None or min(overlap.box[2:]) < 4 * SEARCH:
        return shift
    (x, y, width, height), (ox, oy, _, _) = overlap.box, overlap.other_box
    left, top = max(0, (width - LARGE) // 2), max(0, (height - LARGE) // 2)
    width, height = min(width, LARGE), min(height, LARGE)
    inner = (x + left + SEARCH, y + top + SEARCH, width - 2 * SEARCH, height - 2 * SEARCH)
    template = _cut(image, inner)
    field = _cut(other, (ox + left, oy + top, width, height))
    if template.std() < FLAT:
        return shift
    scores = cv2.matchTemplate(field, template, cv2.TM_CCOEFF_NORMED)
    _, _, _, (best_x, best_y) = cv2.minMaxLoc(np.nan_to_num(scores, posinf=0, neginf=0))
    return shift[0] + best_x - SEARCH, shift[1] + best_y - SEARCH


def _overlap(image: np.ndarray, other: np.ndarray, shift: tuple[int, int]) -> Overlap | None:
    ends = [
        (max(0, -move), min(side, against - move))
        for side, against, move in zip(image.shape[::-1], other.shape[::-1], shift, strict=True)
    ]
    (x, right), (y, bottom) = ends
    width, height = right - x, bottom - y
    if min(width, height) < min(LEAST, *image.shape, *other.shape):
        return None
    return Overlap((x, y, width, height), (x + shift[0], y + shift[1], width, height))


def _cut(image: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    x, y, width, height = box
    return image[y : y + height, x : x + width]


def _correlation(part: np.ndarray, other: np.ndarray) -> float:
    """Of what a blur leaves behind; 0 where that is flat, so that two skies are not the same."""
    if np.array_equal(part, other):
        return 1.0 if part.min() < part.max() else 0.0
    detail, against = (_detail(pixels) for pixels in (part, other))
    spread, other_spread = float(detail.std()), float(against.std())
    if min(spread, other_spread) < FLAT:
        return 0.0
    together = float(((detail - detail.mean()) * (against - against.mean())).mean())
    return together / (spread * other_spread)


def _detail(pixels: np.ndarray) -> np.ndarray:
    image = pixels.astype(np.float32)
    return image - cv2.GaussianBlur(image, (0, 0), DETAIL)


def _difference(part: np.ndarray, other: np.ndarray) -> float:
    image, against = part.astype(np.float32), other.astype(np.float32)
    centred, target = image - image.mean(), against - against.mean()
    gain = float((centred * target).mean()) / max(float((centred**2).mean()), 1e-6)
    return float(np.abs(gain * centred - target).mean())


def _scaled(
    box: tuple[int, int, int, int], size: tuple[int, int], image: np.ndarray
) -> tuple[int, int, int, int]:
    """A box in the image at ``size``, in pixels of the image itself."""
    x, y, width, height = box
    across, down = image.shape[1] / size[0], image.shape[0] / size[1]
    return round(x * across), round(y * down), round(width * across), round(height * down)
