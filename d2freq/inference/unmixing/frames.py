"""Frames of one window of a sensor: from an array, the pages of a TIFF, or a folder of pictures.

Shape shorthand: T frames of H x W pixels.

Frames follow each other in equal steps of time, in the order of their pages, or of their names with
numbers compared as numbers: frame_9 before frame_10.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from d2freq.errors import DatasetError
from d2freq.inference.unmixing.sequence import in_order, notes_on
from d2freq.utils.pixels import read_samples
from d2freq.utils.pixels.decoding import decoding

__all__ = ["Frames", "read_frames"]

PICTURES = (".tif", ".tiff", ".png", ".pgm", ".jp2", ".bmp", ".jpg", ".jpeg")
DEPTHS = tuple(2**bits - 1 for bits in (8, 10, 12, 14, 16))  # the largest numbers of sensors
WHITE_IS_ZERO = 0  # of a TIFF's photometric interpretation
COLOURED = (2, 3, 5, 6, 8)  # RGB, palette, CMYK, YCbCr, CIELab in a TIFF
CUT_OFF = 0.1  # share of a frame's pixels at the largest number from which on it says too little
APART = "replace it, or give the frames before and after it as sequences of their own"


@dataclass(frozen=True)
class Frames:
    """What was read.

    Attributes:
        values: (T, H, W) float64, in the file's numbers.
        names: of each frame, as messages and outputs name it.
        saturation: the largest number that the sensor writes, where some pixel has it; else None.
        whole: whether they are whole numbers.
        notes: what a person is told of the source.
    """

    values: np.ndarray
    names: tuple[str, ...]
    saturation: float | None
    whole: bool
    notes: tuple[str, ...]


def read_frames(source: str | os.PathLike, *, saturation: float | None = None) -> Frames:
    """The frames of ``source``: a .npy file, a TIFF, one picture, or a folder of pictures.

    Args:
        saturation: the largest number that the sensor writes. None: of whole numbers the largest
            one of 8, 10, 12, 14 or 16 bits where a pixel has it, of others none.

    Raises:
        DatasetError: there is nothing to read, or a frame of another size or depth, with colours,
            with NaN, or saturated in more than a tenth of its pixels; it names the frame and the
            cure.
    """
    path = Path(source)
    notes: list[str] = []
    if path.is_dir():
        files, others = _folder(path)
        pieces, notes = [(file.name, _picture(file)) for file in files], notes_on(files, others)
    elif not path.exists():
        raise DatasetError(
            f"{path} does not exist; give a .npy file, a TIFF, or a folder of frames"
        )
    elif path.suffix.lower() == ".npy":
        pieces = _array(path)
    elif path.suffix.lower() in (".tif", ".tiff"):
        pieces = _pages(path)
    elif path.suffix.lower() in PICTURES:
        pieces = [(path.name, _picture(path))]
    else:
        raise DatasetError(
            f"{path} is no frame: give a .npy file of (frames, rows, columns), a TIFF of a page a "
            "frame, or a folder of pictures of one band; of a .npz file write the array by itself "
            "by numpy.save"
        )
    names, frames = [name for name, _ in pieces], [frame for _, frame in pieces]
    _check_alike(path, names, frames)
    whole = all(frame.dtype.kind in "ui" for frame in frames)
    values = np.stack([np.asarray(frame, np.float64) for frame in frames])
    _refuse(
        path,
        names,
        [int((~np.isfinite(own)).sum()) for own in values],
        lambda bad: f"{bad} of its pixels are NaN or infinite",
    )
    level = saturation
    if level is None and whole and values.max() in DEPTHS:
        level = float(values.max())
    if level is not None:
        full = [int((own >= level).sum()) for own in values]
        most = CUT_OFF * values[0].size
        _refuse(
            path,
            names,
            [own if own > most else 0 for own in full],
            lambda bad: (
                f"{bad} of its {values[0].size} pixels are saturated (at {level:g}); expose "
                "shorter, or correct --saturation"
            ),
        )
        values = np.minimum(values, level)
        level = level if any(full) else None
    rows, columns = values.shape[1:]
    if path.suffix.lower() == ".npy" and len(values) == rows != columns:
        notes.append(
            f"{path.name} is taken as {len(values)} frames of {columns} x {rows} pixels; if the "
            f"last axis counts the frames, write numpy.moveaxis(frames, -1, 0)"
        )
    return Frames(values, tuple(names), level, whole, tuple(notes))


def _folder(folder: Path) -> tuple[list[Path], list[Path]]:
    """The pictures in their order, and what else lies there."""
    seen = [p for p in folder.iterdir() if p.name[0] != "."]
    files = [p for p in seen if p.suffix.lower() in PICTURES and p.is_file()]
    if not files:
        raise DatasetError(
            f"{folder} has no frames: pictures of one band are expected ({', '.join(PICTURES)}); "
            "of arrays write one .npy file of (frames, rows, columns)"
        )
    return in_order(files), [p for p in seen if p not in files]


def _picture(path: Path) -> np.ndarray:
    if path.suffix.lower() in (".tif", ".tiff"):
        _check_pages(path)
    elif path.suffix.lower() in (".png", ".jpg", ".jpeg"):
        with decoding(os.fspath(path)), Image.open(path) as picture:
            count = getattr(picture, "n_frames", 1)
        if count > 1:
            raise DatasetError(
                f"{path} has {count} pictures, of which one would be read; write each as a file"
            )
    values, layout = read_samples(path)
    colours = layout.colours or tuple(range(values.shape[2]))
    if len(colours) != 1:
        kind = "pages" if layout.stacked else "bands, colours"
        cure = "give a TIFF of pages by itself" if layout.stacked else "write it as grey"
        raise DatasetError(f"{path} has {len(colours)} {kind}, a frame has one; {cure}")
    return values[:, :, colours[0]]


def _check_pages(path: Path) -> None:
    """Raise for a page with colours, or one whose numbers fall with the light."""
    import tifffile

    with decoding(os.fspath(path)), tifffile.TiffFile(path) as file:
        for number, page in enumerate(file.pages, 1):
            where = f"{path}: {path.name}, page {number}"
            if page.photometric in COLOURED:
                raise DatasetError(
                    f"{where} has colours ({page.photometric.name.lower()}); a frame has one band, "
                    "so write it as grey"
                )
            if page.photometric == WHITE_IS_ZERO:
                raise DatasetError(
                    f"{where} has white as 0 (miniswhite), so that light lowers its numbers; turn "
                    "them round and write it as minisblack"
                )


def _pages(path: Path) -> list[tuple[str, np.ndarray]]:
    """A page is a frame; of a page with colours the size says so."""
    import tifffile

    _check_pages(path)
    with decoding(os.fspath(path)), tifffile.TiffFile(path) as file:
        pages = [page.asarray() for page in file.pages]
    if len(pages) == 1 and pages[0].ndim == 3 and pages[0].shape[-1] not in (2, 3, 4):
        pages = list(pages[0])
    return [(f"{path.name}, page {number}", page) for number, page in enumerate(pages, 1)]


def _array(path: Path) -> list[tuple[str, np.ndarray]]:
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DatasetError(
            f"{path} is no array of numbers: {error}; write it by numpy.save"
        ) from None
    if values.ndim == 2:
        values = values[None]
    if values.ndim == 4 and 1 in (values.shape[1], values.shape[3]):
        values = values[:, 0] if values.shape[1] == 1 else values[..., 0]
    if values.ndim != 3 or not values.size or values.dtype.kind not in "uif":
        raise DatasetError(
            f"{path} has shape {values.shape} and type {values.dtype}; expected numbers of "
            "(frames, rows, columns), whole or real, and at least one: cut one band out, or take "
            "the absolute values of complex ones"
        )
    return [(f"{path.name}, frame {number}", own) for number, own in enumerate(values)]


def _check_alike(path: Path, names: list[str], frames: list[np.ndarray]) -> None:
    for name, frame in zip(names, frames, strict=True):
        if frame.ndim != 2:
            raise DatasetError(
                f"{path}: {name} has shape {frame.shape}, as of colours; a frame has one band, so "
                "write it as grey"
            )
        if frame.shape != frames[0].shape:
            raise DatasetError(
                f"{path}: {name} has {frame.shape[1]} x {frame.shape[0]} pixels, {names[0]} has "
                f"{frames[0].shape[1]} x {frames[0].shape[0]}; all frames show one window of the "
                "sensor, so cut them alike, or take it away"
            )
        if frame.dtype != frames[0].dtype:
            raise DatasetError(
                f"{path}: {name} has numbers of {frame.dtype}, {names[0]} of {frames[0].dtype}; "
                "write all frames in one depth and one scale"
            )


def _refuse(path: Path, names: list[str], bad: Iterable[int], what: Callable[[int], str]) -> None:
    """Raise DatasetError for the first frame with a number above 0, and say how many have."""
    faulty = [(name, number) for name, number in zip(names, bad, strict=True) if number]
    if faulty:
        name, number = faulty[0]
        more = f" (and {len(faulty) - 1} frames more)" if len(faulty) > 1 else ""
        raise DatasetError(f"{path}: {name}: {what(number)}{more}; {APART}")
