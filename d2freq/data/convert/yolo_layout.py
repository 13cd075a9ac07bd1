"""Where the images and labels of a YOLO data set lie: trees, lists, data.yaml, darknet's obj.data.

* ``images/`` and ``labels/``, with a folder a split in each, or in one folder side by side;
* a folder a split with both in it (``train/images``, ``train/labels``);
* ``data.yaml``, whose ``train``, ``val`` and ``test`` are folders or lists of images;
* darknet: ``obj.data``, which names a list of images for ``train`` and ``valid``, or such a list
  itself (``train.txt``). Labels lie beside the images, or in ``labels`` where these are in
  ``images``.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from d2freq.data.convert.label_files import Pair, pair_files, read_lines, read_text
from d2freq.data.convert.recognise import hint
from d2freq.errors import UserError
from d2freq.utils.names import PICTURES

YAML = (".yaml", ".yml")
ABOUT = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
LISTS = {"classes", "obj", "train", "val", "valid", "test", "predefined_classes"}
ABOVE = 4  # folders above a list in which the paths in it may begin
OTHER_WORD = {"val": "valid", "valid": "val"}  # darknet and Roboflow say valid
SPLITS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}


@dataclass(frozen=True)
class YoloSource:
    """A data set as it lies on the disk.

    Attributes:
        pairs: images and their labels; of one root.
        folders: where files about the whole set are looked for, best first.
        names: the file that tells the classes, where the source names one.
        about: the data.yaml; None where there is none.
    """

    pairs: list[Pair]
    folders: tuple[Path, ...]
    names: Path | None = None
    about: Path | None = None

    def kpt_shape(self) -> tuple[int, ...]:
        """Points and numbers of each point in a row; () where there are no keypoints.

        Raises:
            UserError: it is anything else.
        """
        shape = (_read_yaml(self.about) if self.about else {}).get("kpt_shape")
        if shape is None:
            return ()
        whole = isinstance(shape, list) and [type(n) for n in shape] == [int, int]
        if not whole or shape[0] < 1 or shape[1] not in (2, 3):
            raise UserError(f"{self.about}: kpt_shape {shape!r} is no [points, 2 or 3]; correct it")
        return tuple(shape)


def find_yolo(source: str | os.PathLike, split: str = "") -> YoloSource:
    """Images and labels of a split, from whatever of the module's layouts ``source`` is.

    Raises:
        UserError: none of them, an unknown split, or images of a list that are not there.
    """
    root = Path(source)
    if root.is_file() and root.suffix.lower() in YAML:
        return _of_yaml(root, split)
    if root.is_file() and root.suffix.lower() == ".data":
        return _of_darknet(root, split)
    if root.is_file() and root.suffix.lower() == ".txt":
        if split:
            raise UserError(f"{root} is a list of images itself; leave --split {split} out")
        return YoloSource(_listed([root]), (root.parent, root.resolve().parent.parent))
    if root.is_file():
        raise UserError(f"{root}: no folder, data.yaml, obj.data or list of images{hint(root)}")
    return _of_folder(root, split)


def splits_of(about: Path) -> dict[str, object]:
    """What a data.yaml says of ``train``, ``val`` and ``test``: folders or lists of images.

    Raises:
        UserError: it is no YAML.
    """
    content = _read_yaml(about)
    said = {split: [content.get(word) for word in words] for split, words in SPLITS.items()}
    return {split: next(filter(None, each)) for split, each in said.items() if any(each)}


def _of_folder(root: Path, split: str) -> YoloSource:
    darknet = sorted(root.glob("*.data"))
    if split and darknet and not (root / "images" / split).is_dir() and not (root / split).is_dir():
        return _of_darknet(darknet[0], split)
    if split and (root / split / "images").is_dir() and not (root / "images" / split).is_dir():
        images, labels = root / split / "images", root / split / "labels"
    else:
        images = root / "images" if (root / "images").is_dir() else root
        labels = root / "labels" if (root / "labels").is_dir() else images
        images, labels = images / split, labels / split
        inner = sorted(folder.parent.name for folder in images.glob("*/images"))
        if inner:
            raise UserError(
                f"{images}: the splits {', '.join(inner)} are folders there; choose with --split"
            )
    folders = (root, root.resolve().parent)
    about = next((f / n for f in folders for n in ABOUT if (f / n).is_file()), None)
    pairs = [
        pair
        for pair in pair_files(images, labels, ".txt")
        if pair.image or Path(pair.label).stem not in LISTS
    ]
    return YoloSource(pairs, folders, about=about)


def _of_yaml(about: Path, split: str) -> YoloSource:
    content = _read_yaml(about)
    places = splits_of(about)
    split = next((name for name, words in SPLITS.items() if split in words), split)
    if split not in places:
        known = ", ".join(places) or "none"
        raise UserError(f"{about}: no split {split!r}, known are {known}; choose one with --split")
    said = places[split]
    wish = said if isinstance(said, list) else [said]
    bases = [about.parent, *about.resolve().parents[: ABOVE - 1]]
    if content.get("path"):
        own = about.parent / str(content["path"])
        bases = [own, *bases] if own.is_dir() else bases
    pairs = []
    for entry in map(str, wish):
        # Roboflow writes ../train/images, counted from a folder that nobody has
        clean = entry.replace("\\", "/")
        while clean.startswith("../"):
            clean = clean.removeprefix("../")
        found = next((b / e for b in bases for e in (entry, clean) if (b / e).exists()), None)
        if found is None:
            raise UserError(f"{about}: {split}: {entry}: no such folder or list; correct the path")
        pairs += _listed([found]) if found.is_file() else _tree(found)
    folders = (about.parent, about.resolve().parent.parent)
    return YoloSource(_of_one_root(pairs), folders, names=about, about=about)


def _tree(images: Path) -> list[Pair]:
    """A folder of images, whose labels lie where ``images`` in its path is ``labels``."""
    if not images.name == "images" and (images / "images").is_dir():
        images = images / "images"
    parts = images.parts
    places = [n for n, part in enumerate(parts) if part == "images"]
    labels = images
    if places:
        labels = Path(*parts[: places[-1]], "labels", *parts[places[-1] + 1 :])
        labels = labels if labels.is_dir() else images
    found = pair_files(images, labels, ".txt")
    return [pair for pair in found if pair.image or Path(pair.label).stem not in LISTS]


def _of_one_root(pairs: list[Pair]) -> list[Pair]:
    """The same, with the images of several folders counted from the one above all of them."""
    root = os.path.commonpath([pair.root for pair in pairs])
    return [
        replace(pair, root=root, image=os.path.relpath(os.path.join(pair.root, pair.image), root))
        if pair.image and pair.root != root
        else replace(pair, root=root)
        for pair in pairs
    ]


def _of_darknet(about: Path, split: str) -> YoloSource:
    content: dict[str, str] = {}
    for place, text in read_lines(about):
        key, equals, value = text.partition("=")
        if not equals and not text.startswith("#"):
            raise UserError(f"{place}: {text!r} is no 'key = value', as darknet's data files have")
        content[key.strip()] = value.strip()
    lists = {key: content[key] for key in ("train", "valid", "val", "test") if content.get(key)}
    key = split if split in lists else OTHER_WORD.get(split, split)
    if key not in lists:
        known = ", ".join(lists) or "none"
        raise UserError(f"{about}: no split {split!r}, known are {known}; choose one with --split")
    names = content.get("names")
    return YoloSource(
        _listed([_found(about, lists[key], f"{about}: {key}")]),
        (about.parent, about.resolve().parent.parent),
        names=_found(about, names, f"{about}: names") if names else None,
    )


def _listed(lists: list[Path]) -> list[Pair]:
    """The images that lists name, a path a line, and their labels."""
    images: dict[Path, str] = {}
    for file in lists:
        for place, text in read_lines(file):
            if PurePosixPath(text.replace("\\", "/")).suffix.lower() not in PICTURES:
                raise UserError(
                    f"{place}: {text!r} is no image; a list has the path of an image in each line"
                )
            path = _found(file, text, place)
            if path in images:
                raise UserError(f"{place}: {text} again, which {images[path]} has; remove one")
            images[path] = place
    if not images:
        raise UserError(f"{', '.join(map(str, lists))}: no image in it")
    root = Path(os.path.commonpath([path.parent for path in images]))
    pairs = []
    for path in sorted(images):
        label = _label_of(path)
        pairs.append(Pair(str(root), path.relative_to(root).as_posix(), label))
    return pairs


def _label_of(image: Path) -> str:
    parts = image.with_suffix(".txt").parts
    places = [n for n, part in enumerate(parts) if part == "images"]
    beside = image.with_suffix(".txt")
    if places:
        other = Path(*parts[: places[-1]], "labels", *parts[places[-1] + 1 :])
        beside = other if other.is_file() else beside
    return str(beside) if beside.is_file() else ""


def _found(file: Path, text: str, place: str) -> Path:
    """The file that ``file`` names: below its folder or one above, whatever stands before.

    Lists are written where the network was trained; of a path that begins elsewhere, the longest
    end that exists is meant.
    """
    parts = PurePosixPath(text.replace("\\", "/")).parts
    bases = file.resolve().parents[:ABOVE]
    if os.path.isfile(text) and os.path.isabs(text):
        return Path(text)
    for start in range(len(parts)):
        for base in bases:
            path = base.joinpath(*parts[start:])
            if parts[start] != "/" and path.is_file():
                return Path(os.path.normpath(path))
    raise UserError(
        f"{place}: {text}: no such file, neither there nor below {file.resolve().parent}; put "
        "the images there, or correct the path"
    )


def _read_yaml(path: Path) -> dict:
    import yaml

    try:
        content = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise UserError(f"{path}: no YAML: {' '.join(str(error).split())}") from error
    return content if isinstance(content, dict) else {}
