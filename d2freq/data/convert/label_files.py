"""What the folders of a source hold: images and their label files, paired by name, and read."""

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from d2freq.errors import UserError
from d2freq.utils.jobs import Item
from d2freq.utils.names import PICTURES, folded
from d2freq.utils.pixels import look_at
from d2freq.utils.text import read_text


@dataclass(frozen=True)
class Pair:
    """An image and its label file, which have the same path but for the ending.

    Attributes:
        root: the folder of the images.
        image: path from ``root`` with forward slashes; "" where there is no image.
        label: path of the label file; "" where there is none.
    """

    root: str
    image: str
    label: str

    def item(self) -> Item:
        """The pair as an item of a job."""
        path = os.path.join(self.root, self.image)
        sources = [p for p in (self.image and path, self.label) if p]
        return Item(path if self.image else self.label, self, tuple(sources))

    def image_record(self) -> dict:
        """``file_name``, ``width`` and ``height`` from the header, EXIF rotation applied.

        Raises:
            UserError: there is no image, or it cannot be read.
        """
        if not self.image:
            raise UserError(
                f"{self.label}: no image of this name under {self.root}; fetch the image or "
                "remove the label file"
            )
        path = os.path.join(self.root, self.image)
        look = look_at(path)
        if look.fault:
            raise UserError(f"{path}: {look.fault} ({look.reason}); fetch it again")
        width, height = look.size
        return {"file_name": self.image, "width": width, "height": height}

    def turned(self) -> bool:
        """Whether an EXIF tag turns the image."""
        return look_at(os.path.join(self.root, self.image)).turned


def find_files(folder: str | os.PathLike, suffixes: Sequence[str]) -> dict[str, str]:
    """Path without ending -> path, both from ``folder``, of all files below with these endings.

    Upper case endings count; hidden files do not (file systems leave ``._name.jpg`` behind).

    Raises:
        UserError: no such folder, or two files differ in their endings alone.
    """
    root = Path(folder)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder")
    found: dict[str, str] = {}
    for place, folders, files in os.walk(root, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in sorted(files):
            stem, suffix = os.path.splitext(file)
            if suffix.lower() not in suffixes or file.startswith("."):
                continue
            inside = os.path.relpath(place, root)
            key, path = (Path(inside, name).as_posix() for name in (stem, file))
            if key in found:
                raise UserError(f"{root}: {found[key]} and {path} share a label; remove one")
            found[key] = path
    return dict(sorted(found.items()))


def pair_files(
    images: str | os.PathLike, labels: str | os.PathLike | None, suffix: str
) -> list[Pair]:
    """Every image and every label file (ending ``suffix``), paired and in order of their names.

    A label file that has no image of its very name belongs to the only one that has no label file
    and differs in capitals or in how letters are composed: Windows and macOS take both for one.

    Args:
        labels: None where there are no label files.

    Raises:
        UserError: a folder is missing, or there is no image at all.
    """
    pictures = find_files(images, PICTURES)
    if not pictures:
        raise UserError(f"{images}: no image there; looked for {', '.join(PICTURES)}")
    texts = {} if labels is None else find_files(labels, (suffix,))
    bare, alone = (
        _by_folded(one.keys() - other.keys())
        for one, other in ((pictures, texts), (texts, pictures))
    )
    for name, stems in alone.items():
        if len(stems) == len(bare.get(name, ())) == 1:
            texts[bare[name][0]] = texts.pop(stems[0])
    return [
        Pair(
            root=str(images),
            image=pictures.get(stem, ""),
            label=os.path.join(str(labels), texts[stem]) if stem in texts else "",
        )
        for stem in sorted(pictures.keys() | texts.keys())
    ]


def _by_folded(stems: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for stem in stems:
        found.setdefault(folded(stem), []).append(stem)
    return found


def read_lines(path: str | os.PathLike) -> list[tuple[str, str]]:
    """("<path>, line <number>", text) of each line with any text, white space around removed."""
    lines = enumerate(read_text(path).splitlines(), start=1)
    return [(f"{path}, line {number}", text.strip()) for number, text in lines if text.strip()]


def read_number(text: str | None, what: str) -> float:
    """A finite number, an int where it is whole.

    Raises:
        UserError: anything else; ``what`` begins the message.
    """
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{what}: {text!r} is no number; {_cure(text)}")
    return int(value) if value.is_integer() else value


def _cure(text: str | None) -> str:
    if text is None or not text.strip():
        return "write one, or remove the object"
    if "," in text:
        return "part numbers by blanks in the place of commas, and write decimals with a point"
    return "correct it, or remove the object"
