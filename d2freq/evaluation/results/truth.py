"""The images and classes of ground truth, found by the names that results give them."""

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath

from d2freq.data.coco.read import read_coco
from d2freq.evaluation.coco.guard import DetectionError
from d2freq.utils.names import NameIndex, folded

__all__ = ["Image", "Truth"]


@dataclass(frozen=True)
class Image:
    """An image of ground truth: its id, file name, width and height."""

    id: int
    name: str
    width: float
    height: float


class Truth:
    """A COCO file, asked for its images by file name and its classes by name or place.

    Args:
        path: of the file; messages call it so.

    Raises:
        DatasetError: it cannot be read.
        DetectionError: its images or classes lack what they are found by.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = os.fspath(path)
        try:
            self._fill(read_coco(path))
        except (KeyError, TypeError) as error:
            raise DetectionError(
                f"{path}: images need id and file_name, categories id and name; d2freq validate "
                f"{path} names what is missing ({type(error).__name__}: {error})"
            ) from error

    def _fill(self, data: dict) -> None:
        self._images: dict[str, list[Image]] = defaultdict(list)
        numbers: dict[int, list[int]] = defaultdict(list)
        for entry in data["images"]:
            name = str(entry["file_name"]).replace("\\", "/")
            image = Image(entry["id"], name, entry.get("width", 0), entry.get("height", 0))
            self._images[name].append(image)
            stem = PurePosixPath(name).stem
            if stem.isdecimal():
                numbers[int(stem)].append(image.id)
        self._names = NameIndex(self._images, any_suffix=True)
        self._known: dict[tuple[str, bool], Image] = {}  # an image has many detections
        self.ids = {entry["id"] for entry in data["images"]}
        # 7 is 0007.jpg where no other file is called by this number
        self.by_number = {n: images[0] for n, images in numbers.items() if len(images) == 1}
        categories = sorted(data["categories"], key=lambda category: category["id"])
        self.names: dict[int, str] = {c["id"]: str(c["name"]) for c in categories}
        self._ids = {_plain(name): number for number, name in self.names.items()}

    def image(self, name: str, place: str, *, suffix: bool = True) -> Image:
        """The image of a file name; folders count as far as both sides have them.

        Args:
            suffix: whether ``name`` ends in a suffix. Where it does, an image of another ending is
                meant only where there is none of this one.

        Raises:
            DetectionError: there is none, or there are several; ``place`` begins the message.
        """
        known = self._known.get((name, suffix))
        if known is None:
            known = self._known[name, suffix] = self._find(name, place, suffix)
        return known

    def knows(self, name: str) -> bool:
        """Whether an image is called so, with or without its ending."""
        return bool(self._names.find(name, same_folders=False))

    def _find(self, name: str, place: str, suffix: bool) -> Image:
        names = self._names.find(name, same_folders=False)
        if not names and suffix:
            # of another ending; what looks like one may be none, as of the scene img.v2
            stem = os.path.splitext(name.replace("\\", "/"))[0]
            names = self._names.find(stem, same_folders=False)
        fitting = [image for found in names for image in self._images[found]]
        if len(fitting) != 1:
            found = f"has {len(fitting)}" if fitting else "has none"
            raise DetectionError(
                f"{place}: detections on {name!r}, of which {self.path} {found}; name the ground "
                "truth of these images"
            )
        return fitting[0]

    def category(self, name: str, place: str) -> int:
        """The id of a class; capitals and ``_ -`` and blanks make no difference.

        Raises:
            DetectionError: there is none; ``place`` begins the message.
        """
        number = self._ids.get(_plain(name))
        if number is None:
            raise DetectionError(
                f"{place}: detections of class {name!r}; {self.path} has "
                f"{', '.join(self.names.values())}"
            )
        return number


def _plain(name: str) -> str:
    return "".join(c for c in folded(name) if c not in " -_")
