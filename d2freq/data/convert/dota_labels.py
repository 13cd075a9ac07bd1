"""Read DOTA's label files, and find them and their images in the folder of a split.

A label file holds a line an object, ``x1 y1 x2 y2 x3 y3 x4 y4 class difficult``, the corners of an
oriented box in pixels; in front there may be ``imagesource:`` and ``gsd:`` lines.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from d2freq.data.convert.label_files import Pair, find_files, read_lines, read_number
from d2freq.errors import DatasetError, UserError
from d2freq.utils.names import PICTURES

VERSIONS = ("1.0", "1.5", "2.0")
HEADERS = ("imagesource:", "gsd:")
# DOTA ships horizontal boxes beside the oriented ones, in folders of these names
HORIZONTAL = ("hbb", "reclabel", "task2")


@dataclass(frozen=True)
class DotaObject:
    """One line: four corners x1 y1 ... x4 y4 in pixels, the class, and whether it is difficult.

    ``place`` is where it stands, "<path>, line <number>".
    """

    corners: tuple[float, ...]
    category: str
    difficult: int
    place: str = ""


def read_labels(
    path: str | os.PathLike, classes: tuple[str, ...]
) -> tuple[list[DotaObject], list[str]]:
    """The objects of a label file, and a message for each line that is none.

    Windows line ends, a byte order mark, blank lines, commas, upper case and blanks in a class
    name are no faults; without ``difficult`` an object is not difficult.
    """
    objects, faults = [], []
    for where, line in read_lines(path):
        words = line.replace(",", " ").lower().split()
        if not words or words[0].startswith(HEADERS):
            continue
        try:
            objects.append(replace(_object(words, classes), place=where))
        except UserError as error:
            faults.append(f"{where}: {error}")
    return objects, faults


def find_dota(source: str | os.PathLike, *, version: str) -> tuple[list[Pair], list[str]]:
    """Pair the labels of a version with the images of a split's folder (``train`` or ``val``).

    Images lie anywhere below ``images`` (``images/part1/images``). Labels are the text files below
    a folder named after the version (``labelTxt-v1.5``, ``DOTA-v2.0_train``), or below a plain
    ``labelTxt``.

    Returns:
        the pairs in order of their names, and the images without a label file.

    Raises:
        UserError: no labels, no images, two of one name, or a label without its image.
    """
    root = Path(source)
    images = _by_name(root / "images", find_files(root / "images", PICTURES).values())
    labels = _by_name(root, _of_version(list(find_files(root, (".txt",)).values()), root, version))
    lost = [str(root / labels[name]) for name in labels if name not in images]
    if lost:
        raise DatasetError(
            f"{len(lost)} label files have no image below {root / 'images'}, for example "
            f"{lost[0]}; unpack all parts of the images there"
        )
    image_root = str(root / "images")
    pairs = [Pair(image_root, images[name], str(root / labels[name])) for name in sorted(labels)]
    return pairs, [images[name] for name in sorted(images) if name not in labels]


def find_images(source: str | os.PathLike) -> list[Pair]:
    """The images of a split without labels, in order of their names.

    Raises:
        UserError: no images, or two of one name.
    """
    root = Path(source) / "images"
    images = _by_name(root, find_files(root, PICTURES).values())
    if not images:
        raise DatasetError(f"{root}: no image there; unpack the images of the split there")
    return [Pair(str(root), images[name], "") for name in sorted(images)]


def _object(words: list[str], classes: tuple[str, ...]) -> DotaObject:
    if len(words) < 9:
        raise UserError(f"{len(words)} words, not eight coordinates, a class and a flag")
    corners = tuple(read_number(word, "coordinate") for word in words[:8])
    difficult = 0
    if len(words) > 9 and words[-1].lstrip("-").isdigit():
        flag = words.pop()
        if flag not in ("0", "1", "2"):
            raise UserError(f"the flag difficult is {flag}, neither 0 nor 1")
        difficult = int(flag != "0")  # 2 marks rests of objects in images that were cut before
    category = "-".join(words[8:])
    if category not in classes:
        raise UserError(f"class {category!r} is none of this version")
    return DotaObject(corners, category, difficult)


def _of_version(files: list[str], root: Path, version: str) -> list[str]:
    """Label files of a version; those of no version where there are none."""
    folders = {file: [word.lower() for word in Path(file).parts[:-1]] for file in files}
    oriented = [f for f in files if not any(h in word for h in HORIZONTAL for word in folders[f])]

    def names(file: str, wanted: str) -> bool:
        return any(f"v{wanted}" in word for word in folders[file])

    plain = [f for f in oriented if not any(names(f, v) for v in VERSIONS)]
    found = [f for f in oriented if names(f, version)]
    found = found or [f for f in plain if "labeltxt" in folders[f]]
    if not found:
        places = sorted({str(Path(file).parent) for file in files}) or ["none"]
        raise DatasetError(
            f"{root}: no labels of version {version}: looked for labelTxt-v{version} and labelTxt, "
            f"found text files in: {', '.join(places[:5])}; unpack the labels there, ask for "
            "the version that is there, or take the images alone with --no-labels (test sets)"
        )
    return found


def _by_name(root: Path, files: Iterable[str]) -> dict[str, str]:
    """File name without ending -> path from ``root``."""
    found: dict[str, str] = {}
    for file in files:
        name = Path(file).stem
        if name in found:
            raise DatasetError(f"{root}: {found[name]} and {file} have one name; keep one of them")
        found[name] = file
    return found
