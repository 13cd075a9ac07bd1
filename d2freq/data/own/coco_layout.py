"""Which COCO files of a folder train and which measure, and where their images are."""

import os
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

from d2freq.data.coco.read import parse, read_coco
from d2freq.data.own.splits import Split, records_of
from d2freq.errors import DatasetError, UserError
from d2freq.utils.text import open_text

# words in a path that say what a file is for; the first name of each row is the usual one
WORDS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
JSON = (".json", ".json.gz")
PROBES = 20  # file names that are looked for in a folder of images
DEEPEST = 3  # folders below the place in which COCO files are looked for


def find_coco(folder: Path) -> dict[str, Path]:
    """COCO files by what they are for: ``train``, ``val``, ``test``, or ``""`` where nothing says.

    ``instances_*`` goes before its neighbours of captions and key points.

    Raises:
        UserError: two files are for the same.
    """
    found: dict[str, Path] = {}
    for file in _json_files(folder):
        purpose = purpose_of(file.relative_to(folder))
        if not _is_coco(file):
            continue
        other = found.get(purpose)
        if other is None or _is_instances(file) > _is_instances(other):
            found[purpose] = file
        elif _is_instances(file) == _is_instances(other):
            for_what = f"for {purpose}" if purpose else "whose path says neither train nor val"
            raise UserError(
                f"{folder}: two COCO files {for_what}, {other.relative_to(folder)} and "
                f"{file.relative_to(folder)}; name the files: --data TRAIN.json --val-data VAL.json"
            )
    return found


def purpose_of(path: Path) -> str:
    """``train``, ``val``, ``test`` by the words of a path, the last one that says it; else ""."""
    words = re.findall(r"[a-z]+", path.as_posix().lower())
    said = [purpose for word in words for purpose, names in WORDS.items() if word in names]
    if said and {"train", "val"} <= {*words[-3:]}:  # "train_val.json" is both
        return ""
    return said[-1] if said else ""


def find_images(json_file: Path, wish: str | os.PathLike | None = None) -> Path:
    """The folder that a COCO file's ``file_name`` counts from.

    Args:
        wish: the folder that a user names, which has to hold the images.

    Raises:
        UserError: no folder nearby holds the first images; says where was looked.
    """
    records = records_of(read_coco(json_file), "images")[:PROBES]
    names = [r["file_name"] for r in records if isinstance(r.get("file_name"), str)]
    if wish is not None:
        places = [Path(wish), *_below(Path(wish), purpose_of(Path(json_file.name)))]
    else:
        places = _near(json_file)
    best = max(places, key=lambda place: sum((place / name).is_file() for name in names))
    if names and not any((best / name).is_file() for name in names):
        beside = [] if wish is not None else _holding(names, json_file.parent)
        if len(beside) == 1:
            return beside[0]
        looked = ", ".join(str(place) for place in places if place.is_dir())
        raise UserError(
            f"{json_file}: its image {names[0]!r} is in none of {looked or 'these folders'}; "
            + (
                _by_last_part(names, places, json_file)
                or "say where the images are: --images FOLDER"
            )
        )
    return best


def _holding(names: Sequence[str], folder: Path) -> list[Path]:
    """Folders right below ``folder``, whatever they are called, that hold some of the files."""
    below = sorted(place for place in folder.iterdir() if place.is_dir())
    return [place for place in below if any((place / name).is_file() for name in names)]


def _by_last_part(names: Sequence[str], places: Sequence[Path], json_file: Path) -> str:
    """The cure where images lie there without the folders before their names; "" for none."""
    for place in places:
        for name in names:
            last = name.replace("\\", "/").rpartition("/")[2]
            if (place / last).is_file():
                return (
                    f"it lies in {place} as {last}: d2freq validate {json_file} --images {place} "
                    "--fix OUT.json writes the names"
                )
    return ""


def split_of(json_file: Path, images: str | os.PathLike | None) -> Split:
    """A COCO file with its images.

    Raises:
        UserError: the images are not found.
        DatasetError: the file cannot be read.
    """
    return Split(json_file, find_images(json_file, images))


def _near(json_file: Path) -> list[Path]:
    """Where people keep the images of a COCO file: beside it, above it, in a folder of its name."""
    here, above = json_file.parent, json_file.parent.parent
    purpose = purpose_of(Path(json_file.parent.name, json_file.name))
    # instances_val2017.json has its images in val2017/
    year = re.sub(r"^[a-z]+_", "", json_file.stem)
    places = [here, above]
    for base in (here, above):
        places += [base / "images", base / json_file.stem, base / year, base / "images" / year]
        places += _below(base, purpose) + _below(base / "images", purpose)
    return list(dict.fromkeys(places))


def _below(base: Path, purpose: str) -> list[Path]:
    found = []
    for word in WORDS.get(purpose, ()):
        found += [base / word, base / word / "images"]
    return found


def _json_files(folder: Path) -> list[Path]:
    found = []
    for root, folders, files in os.walk(folder):
        depth = len(Path(root).relative_to(folder).parts)
        folders[:] = sorted(f for f in folders if not f.startswith(".")) if depth < DEEPEST else []
        found += [Path(root, name) for name in sorted(files) if name.lower().endswith(JSON)]
    return found


def _is_instances(file: Path) -> bool:
    return "instances" in file.stem.lower()


def _is_coco(file: Path) -> bool:
    """Whether the file begins like an object that has lists of images and annotations."""
    try:
        with open_text(file) as opened:
            opened.reconfigure(errors="replace")  # type: ignore[attr-defined]
            head = opened.read(1 << 20)
    except (DatasetError, EOFError, OSError, zlib.error):
        return False  # a zip archive, or gzip that breaks off before its first letter
    if '"images"' in head and '"annotations"' in head:
        return True
    # long lists push the other key out of the first megabyte, and detections have neither
    if not re.search(r'"(images|annotations|categories)"', head):
        return False
    try:
        data = parse(file)
    except DatasetError:
        return True  # it means to be one: its reader says what is wrong with it
    return isinstance(data, dict) and {"images", "annotations"} <= data.keys()
