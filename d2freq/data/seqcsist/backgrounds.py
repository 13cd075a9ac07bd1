"""Backgrounds for the mixed set: infrared clutter made up, or windows of the user's own images.

The paper adds real infrared sequences that are not published. Here a window of m x m pixels glides
over a larger picture, a fraction of a pixel a frame, as a background does under a turning camera.

The pictures of the splits are kept apart: a folder of images may have subfolders ``train``, ``val``
and ``test``; otherwise its images are dealt out 70:15:15.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from d2freq.data.seqcsist.trajectories import generator
from d2freq.errors import DatasetError, UserError
from d2freq.utils.numbers import in_range, pair_in_range
from d2freq.utils.pixels import PixelReader, read_grey, refuse_deep

Backgrounds = Callable[[int], np.ndarray]
"""From the number of a trajectory to its (T, m, m) background in grey levels, float64."""

CLUTTER = "clutter"
FASTEST = 0.1  # pixels a frame on each axis
RANGE = "say which of its numbers become grey levels 0 and 255: --background-range LOW HIGH"
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
_SHARES = {"train": (0.0, 0.7), "val": (0.7, 0.85), "test": (0.85, 1.0)}
_CANVAS = 64  # side of a picture of clutter at least


def backgrounds(
    source: str | os.PathLike,
    split: str,
    *,
    seed: int,
    frames: int,
    size: int,
    gain: float = 1.0,
    value_range: Sequence[float] | None = None,
) -> Backgrounds:
    """Backgrounds of one split, each a function of the seed, the split and the trajectory alone.

    Args:
        source: "clutter", or a folder of grey or colour images, which keep their grey levels.
        frames: T.
        size: m.
        gain: factor on the grey levels.
        value_range: the numbers of the images that become grey levels 0 and 255; without it they
            are of 8 bits, and others are refused.

    Raises:
        UserError: the gain or the range is none.
        DatasetError: the folder is missing, has no images for the split, or one that cannot be
            read or is too small.
    """
    margin = int(np.ceil(FASTEST * frames)) + 1
    check_scale(gain, value_range)
    if value_range is not None and source == CLUTTER:
        raise UserError("--background-range is of images; clutter has grey levels of its own")
    files = [] if source == CLUTTER else _images(Path(source), split)

    def background(index: int) -> np.ndarray:
        rng = generator(seed, split, index, "background")
        if files:
            file = files[int(rng.integers(len(files)))]
            picture = _read(file, size + 2 * margin, value_range)
        else:
            picture = clutter(rng, max(_CANVAS, size + 2 * margin))
        return gain * _glide(picture, rng, frames=frames, size=size, margin=margin)

    return background


def check_scale(gain: float, value_range: Sequence[float] | None) -> None:
    """Raise UserError for a gain or a range that is none, or not finite."""
    what = "factor on grey levels (without a background leave it out)"
    in_range(gain, 1e-6, 1e6, key="--background-gain", what=what)
    if value_range is None:
        return
    what = "the numbers of your images that become grey levels 0 and 255"
    pair_in_range(value_range, -1e30, 1e30, key="--background-range", what=what)
    if value_range[0] == value_range[1]:
        raise UserError(f"--background-range {value_range[0]:g} {value_range[1]:g}: two numbers")


def fingerprint(source: str | os.PathLike | None, split: str) -> str:
    """What a file says of its backgrounds: names and sizes of the images, not where they lie.

    Raises:
        DatasetError: as :func:`backgrounds`, for the folder and the split.
    """
    if source is None or source == CLUTTER:
        return source or ""
    names = (f"{file.name} {file.stat().st_size}" for file in _images(Path(source), split))
    return f"images {hashlib.sha256('; '.join(names).encode()).hexdigest()[:16]}"


def clutter(rng: np.random.Generator, side: int) -> np.ndarray:
    """(side, side) float32 picture of cloud-like clutter without an edge, in grey levels.

    A random field whose amplitude falls with the frequency to the power of 1 to 2, as in natural
    scenes, around a level of 10 to 40 with a standard deviation of 2 to 10 (our choice: dimmer than
    the peak of a target of 220, which is 103).
    """
    spectrum = np.fft.rfft2(rng.standard_normal((side, side)))
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequency[0, 0] = np.inf  # no mean
    field = np.fft.irfft2(spectrum * frequency ** -rng.uniform(1, 2), s=(side, side))
    level, contrast = rng.uniform(10, 40), rng.uniform(2, 10)
    return np.maximum(level + contrast * field / field.std(), 0).astype(np.float32)


def _glide(
    picture: np.ndarray, rng: np.random.Generator, *, frames: int, size: int, margin: int
) -> np.ndarray:
    """(T, m, m) float64 windows of a picture, from a random place into a random direction."""
    height, width = picture.shape
    half = (size - 1) / 2
    start = [rng.uniform(margin + half, side - 1 - margin - half) for side in (width, height)]
    speed = rng.uniform(-FASTEST, FASTEST, 2)
    centres = [tuple(float(value) for value in start + speed * t) for t in range(frames)]
    windows = [cv2.getRectSubPix(picture, (size, size), centre) for centre in centres]
    return np.stack(windows).astype(np.float64)


def _images(folder: Path, split: str) -> list[Path]:
    """The images of a split: those of its subfolder, or its share of the folder's."""
    if not folder.is_dir():
        raise DatasetError(
            f"{folder}: no such folder of background images; give one, or {CLUTTER!r}"
        )
    own = (folder / split).is_dir()
    where = folder / split if own else folder
    files = sorted(path for path in where.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not own:
        order = np.random.default_rng(len(files)).permutation(len(files))
        first, last = (round(share * len(files)) for share in _SHARES[split])
        files = [files[number] for number in order[first:last]]
    if not files:
        raise DatasetError(
            f"{where}: no images for the {split} split ({', '.join(SUFFIXES)}); put at least four "
            "there, or fill subfolders train, val and test"
        )
    return files


@lru_cache(maxsize=64)
def _read(path: Path, least: int, value_range: Sequence[float] | None) -> np.ndarray:
    """An image as float32 grey levels from 0 to 255."""
    if value_range is None:
        refuse_deep(path, cure=RANGE)
        picture = read_grey(path)
    else:
        picture = PixelReader(value_range, order="L").read(path)[:, :, 0]
    if picture is None:
        raise DatasetError(f"{path}: cannot be read as an image; remove or replace it")
    if min(picture.shape) < least:
        height, width = picture.shape
        raise DatasetError(
            f"{path}: {width} x {height} pixels, but backgrounds need {least} a side to move in; "
            "remove or enlarge it"
        )
    return picture.astype(np.float32)
