"""SeqCSIST as its authors lay it out: a PNG and an XML file a frame, a folder a split.

``image/image_{k}.png`` is frame k, one channel; ``annotation/COS{k}.xml`` names its targets. Frames
20 n to 20 n + 19 are trajectory n; numbers count, not the order of names. ``<xc>`` is the row,
``<yc>`` the column.
"""

import os
import re
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
from tqdm import tqdm

from d2freq.data.seqcsist.files import Split
from d2freq.data.seqcsist.frames import saturated
from d2freq.errors import DatasetError
from d2freq.ops.psf import sampling_matrix
from d2freq.utils.xml import read_xml

FRAMES = 20
_LARGE = 2000  # frames above which a bar is shown


def read_published(folder: str | os.PathLike, *, frames: int = FRAMES) -> Split:
    """Read a split folder.

    Args:
        folder: ``.../track_5000_20/train``, with ``image`` and ``annotation`` in it.
        frames: of each trajectory.

    Raises:
        DatasetError: a file is missing, damaged or does not fit the others; named, with the cure.
    """
    root = Path(folder)
    images = _numbered(root / "image", ".png")
    labels = _numbered(root / "annotation", ".xml")
    lone = sorted(set(images) ^ set(labels))
    if lone:
        raise DatasetError(
            f"{images.get(lone[0]) or labels[lone[0]]}: frame {lone[0]} has no "
            f"{'annotation' if lone[0] in images else 'image'} ({len(lone)} such frames); unpack "
            "the archive anew"
        )
    if len(images) % frames:
        last = images[list(images)[len(images) // frames * frames]]
        raise DatasetError(
            f"{last}: the last trajectory begins here and has {len(images) % frames} frames, "
            f"expected {frames}; remove them, or unpack the archive anew"
        )
    info = published_info(root)
    pictures, targets = [], []
    for number in tqdm(
        images, desc=f"reading {root}", unit=" frames", disable=len(images) < _LARGE
    ):
        pictures.append(_read_picture(images[number], info["size"]))
        targets.append(_read_targets(labels[number], info))
    split = np.stack(pictures).reshape(-1, frames, info["size"], info["size"])
    tracks = []
    for start in range(0, len(targets), frames):
        track, numbers = targets[start : start + frames], list(images)[start : start + frames]
        for number, target in zip(numbers, track, strict=True):
            if len(target) != len(track[0]):
                raise DatasetError(
                    f"{labels[number]}: {len(target)} targets, the first frame of its trajectory "
                    f"has {len(track[0])}; expected as many in all {frames} frames"
                )
        tracks.append(np.stack(track))
    for file in (*root.parent.glob("phi*.mat"), *root.parent.parent.glob("phi*.mat")):
        check_phi(file, size=info["size"], sigma=info["sigma"])
    return Split(
        info | {"frames": frames, "count": len(tracks)},
        split,
        saturated(split),
        [track[..., :2] for track in tracks],
        [track[..., 2] for track in tracks],
    )


def published_info(folder: str | os.PathLike) -> dict:
    """``size`` and ``sigma`` by the first annotation, and what tells the folder from another."""
    labels = _numbered(Path(folder) / "annotation", ".xml")
    first = next(iter(labels.values()))
    root = read_xml(first)
    newest = max(file.stat().st_mtime_ns for file in labels.values())
    return {
        "description": "SeqCSIST, published layout",
        "size": int(_number(root, "size/width", first)),
        "sigma": _number(root, "sigma", first),
        "annotations": len(labels),
        "newest": newest,
    }


def check_phi(path: str | os.PathLike, *, size: int, sigma: float) -> None:
    """Compare a published sampling matrix (.mat, ``phi``) with the optics of the frames.

    Raises:
        DatasetError: it has another shape, or other numbers by more than 1e-4.
    """
    from scipy import io  # slow to import, and hardly ever needed

    cure = f"it is computed where it is needed: remove the file, or correct sigma={sigma:g}"
    try:
        phi = np.asarray(io.loadmat(str(path))["phi"], np.float64)
    except (KeyError, ValueError, NotImplementedError, OSError) as error:
        raise DatasetError(
            f"{path}: no sampling matrix 'phi' to be read ({error}); {cure}"
        ) from error
    factor = round(phi.shape[-1] ** 0.5 / size)
    if phi.shape != (size**2, (factor * size) ** 2):
        raise DatasetError(
            f"{path}: a sampling matrix of the shape {phi.shape} does not fit frames of {size} x "
            f"{size} pixels; {cure}"
        )
    off = np.abs(phi - sampling_matrix(size, factor, sigma).numpy()).max()
    if off > 1e-4:
        raise DatasetError(
            f"{path}: off the sampling matrix of sigma={sigma:g} by up to {off:.3g}; {cure}"
        )


def _numbered(folder: Path, suffix: str) -> dict[int, Path]:
    """Files by the first number in their names, in the order of these."""
    found = {}
    for file in folder.glob(f"*{suffix}"):
        digits = re.search(r"\d+", file.name)
        if digits:
            found[int(digits[0])] = file
    if not found:
        raise DatasetError(
            f"{folder}: no numbered {suffix} files; a split folder holds image/image_0.png ... and "
            "annotation/COS0.xml ..."
        )
    return dict(sorted(found.items()))


def _read_picture(path: Path, size: int) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise DatasetError(f"{path}: cannot be read as an image; unpack the archive anew")
    if picture.shape != (size, size):
        raise DatasetError(
            f"{path}: an image of the shape {picture.shape}, expected one channel of {size} x "
            f"{size} pixels, as its annotations say; replace the file or correct <size>"
        )
    return picture.astype(np.float32)


def _number(element: ElementTree.Element, name: str, path: Path, of: str = "") -> float:
    text = (element.findtext(name) or "").strip()
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        found = f"is {text!r}" if text else "is missing"
        raise DatasetError(f"{path}: <{name.split('/')[-1]}>{of} {found}; write a number there")
    return value


def _read_targets(path: Path, info: dict) -> np.ndarray:
    """(K, 3) float64: row, column, brightness, in the order of the file."""
    root, size = read_xml(path), info["size"]
    for name, expected in (("size/width", size), ("size/height", size), ("sigma", info["sigma"])):
        value = _number(root, name, path)
        if value != expected:
            raise DatasetError(
                f"{path}: <{name.split('/')[-1]}> is {value:g}, {expected:g} in the first file; "
                "the frames of a split are alike: correct it"
            )
    rows = []
    for number, item in enumerate(root.iter("object"), start=1):
        names = ("coordinate/xc", "coordinate/yc", "coordinate/brightness")
        rows.append([_number(item, name, path, f" of object {number}") for name in names])
        if not all(-0.5 <= value <= size - 0.5 for value in rows[-1][:2]):
            raise DatasetError(
                f"{path}: object {number} at ({rows[-1][0]:g}, {rows[-1][1]:g}) lies outside the "
                f"frame, which reaches from -0.5 to {size - 0.5:g} pixels; correct xc and yc"
            )
    return np.array(rows, np.float64).reshape(-1, 3)
