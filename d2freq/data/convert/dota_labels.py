"""Read DOTA's label files, and find them and their images in the folder of a split.

A label file holds a line an object, ``x1 y1 x2 y2 x3 y3 x4 y4 class difficult``, the corners of an
oriented box in pixels; in front there may be ``imagesource:`` and ``gsd:`` lines.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from d2freq.errors import DatasetError

VERSIONS = ("1.0", "1.5", "2.0")
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"}
HEADERS = ("imagesource:", "gsd:")
# DOTA ships horizontal boxes beside the oriented ones, in folders of these names
HORIZONTAL = ("hbb", "reclabel", "task2")


@dataclass(frozen=True)
class DotaObject:
    """One line: four corners x1 y1 ... x4 y4 in pixels, the class, and whether it is difficult."""

    corners: tuple[float, ...]
    category: str
    difficult: int


@dataclass(frozen=True)
class DotaFolder:
    """A split's images and labels: ``pairs`` of (image under image_root, label file), by name."""

    image_root: Path
    pairs: tuple[tuple[str, Path], ...]
    unlabelled: tuple[str, ...]


def read_labels(path: str | os.PathLike, classes: tuple[str, ...]) -> tuple[list[DotaObject], list]:
    """The objects of a label file, and a message for each line that is none.

    Windows line ends, a byte order mark, blank lines, commas, upper case and blanks in a class
    name are no faults; without ``difficult`` an object is not difficult.
    """
    objects, faults = [], []
    text = Path(path).read_text(encoding="utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.replace(",", " ").split()
        if not words or words[0].lower().startswith(HEADERS):
            continue
        try:
            objects.append(_object(words, classes))
        except ValueError as error:
            faults.append(f"{path} line {number}: {error}")
    return objects, faults


def find_dota(
    source: str | os.PathLike, *, version: str, without: str | os.PathLike | None = None
) -> DotaFolder:
    """Pair the images of a split's folder (``train`` or ``val``) with the labels of a version.

    Labels are the text files below a folder named after the version (``labelTxt-v1.5``,
    ``DOTA-v2.0_train``), or below a plain ``labelTxt``; images are looked for below ``images``, in
    any folder there (``images/part1/images``).

    Args:
        without: a folder that is no part of the source, where it lies inside.

    Raises:
        DatasetError: no labels, no images, several of one name, or a label without its image.
    """
    root = Path(source)
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; name the one that holds images and labelTxt")
    outside = Path(without).absolute() if without is not None else None
    files = sorted(
        Path(folder, name)
        for folder, _, names in os.walk(root)
        for name in names
        if outside is None or outside not in Path(folder, name).absolute().parents
    )
    labels = _label_files([f for f in files if f.suffix.lower() == ".txt"], root, version)
    image_root = root / "images" if (root / "images").is_dir() else root
    images = [f for f in files if f.suffix.lower() in IMAGE_SUFFIXES and image_root in f.parents]
    label_of, image_of = _by_stem(labels, "labels"), _by_stem(images, "images")
    lost = [str(label_of[stem]) for stem in label_of if stem not in image_of]
    if lost:
        where = f"{len(lost)} label files have no image below {image_root}, for example {lost[0]}"
        raise DatasetError(f"{where}; unpack all parts of the images there")
    pairs = tuple(
        (image_of[stem].relative_to(image_root).as_posix(), label_of[stem]) for stem in label_of
    )
    unlabelled = tuple(str(image_of[stem]) for stem in image_of if stem not in label_of)
    return DotaFolder(image_root, pairs, unlabelled)


def _object(words: list[str], classes: tuple[str, ...]) -> DotaObject:
    if len(words) < 9:
        raise ValueError(f"{len(words)} words, not eight coordinates, a class and a flag")
    corners = tuple(map(float, words[:8]))
    if not np.isfinite(corners).all():
        raise ValueError("a coordinate is not finite")
    difficult = 0
    if len(words) > 9 and words[-1].lstrip("-").isdigit():
        # 2 marks the rests of objects in data that were cut before
        difficult = {"0": 0, "1": 1, "2": 1}.get(words.pop(), -1)
        if difficult < 0:
            raise ValueError("the last word, difficult, is neither 0 nor 1")
    category = "-".join(words[8:]).lower()
    if category not in classes:
        raise ValueError(f"class {category!r} is none of this version")
    return DotaObject(corners, category, difficult)


def _label_files(files: list[Path], root: Path, version: str) -> list[Path]:
    words = {file: [w.lower() for w in file.relative_to(root).parts[:-1]] for file in files}
    oriented = [f for f in files if not any(mark in w for w in words[f] for mark in HORIZONTAL)]
    named = [f for f in oriented if any(f"v{version}" in word for word in words[f])]
    plain = [f for f in oriented if "labeltxt" in words[f] and not _versions(words[f])]
    if not named and not plain:
        found = sorted({str(file.parent.relative_to(root)) for file in files}) or ["none"]
        raise DatasetError(
            f"{root}: no labels of version {version}: looked for labelTxt-v{version} and labelTxt, "
            f"found text files in: {', '.join(found[:5])}; unpack the labels, or ask for the "
            f"version that is there"
        )
    return named or plain


def _versions(words: list[str]) -> list[str]:
    return [v for v in VERSIONS if any(f"v{v}" in word for word in words)]


def _by_stem(files: list[Path], what: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for file in sorted(files, key=lambda file: (file.stem, str(file))):
        if file.stem in found:
            raise DatasetError(f"two {what} of one name, {found[file.stem]} and {file}: keep one")
        found[file.stem] = file
    if not found:
        raise DatasetError(f"no {what} found; unpack them there")
    return found
