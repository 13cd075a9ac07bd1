"""What a labelling tool says of each image, joined with the image itself, to one COCO file."""

import logging
import os
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from d2freq.data.convert.class_names import read_names
from d2freq.data.convert.images_to_coco import convert_images, image_result
from d2freq.errors import UserError
from d2freq.utils.jobs import Item
from d2freq.utils.names import PICTURES, NameIndex, files_below
from d2freq.utils.pixels import look_at

logger = logging.getLogger(__name__)

NO_RECORD = "images without a record left out"
ABSENT = "frames without a shape and without an image left out"
OTHER_SIZE = "images of another size than the file says; its shares are taken of the image"


@dataclass(frozen=True)
class Record:
    """One image as a tool's file has it.

    Attributes:
        name: of its file, as written.
        place: file and record, for messages.
        content: what the format's own function makes boxes of; it pickles.
        size: (width, height) that the file states, None where it states none.
        file: the tool's file, whose change has the image converted again.
        shares: whether coordinates are shares of the size, so that another size does no harm.
        spare: whether it says nothing of its image, which need not be there.
        cure: what else helps where there is no such image, from a comma on.
    """

    name: str
    place: str
    content: Any
    size: tuple[int, int] | None
    file: str
    shares: bool = False
    spare: bool = False
    cure: str = ""


@dataclass(frozen=True)
class Found:
    """What a format's function finds in a record, given the image's (width, height).

    Attributes:
        boxes: ``category`` and the keys of an annotation, see ``image_result``.
        image: further keys of the image's record.
        notes: what was left out.
    """

    boxes: list[dict]
    image: dict
    notes: Counter[str]


Reader = Callable[[Record, tuple[int, int]], Found]


def convert_records(
    records: Sequence[Record],
    output: str | os.PathLike,
    read: Reader,
    *,
    source: str | os.PathLike,
    tool: str,
    images: str | os.PathLike | None = None,
    names: Sequence[str] | str | None = None,
    options: dict | None = None,
    notes: Counter[str] | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the COCO file of a tool's export.

    Args:
        read: a module's function, or a partial of one.
        tool: the word of ``d2freq convert``.
        images: the folder of the images, where ``file_name`` begins. Without it names and sizes are
            those that the file states.
        names: categories in order, or as in ``read_names``; None takes those found, sorted.
        options: of the format, for the job's key.

    Raises:
        UserError: no records, or one image in two of them.
        FailedItems: images that are missing, unreadable or of another size, or faulty records; all
            are listed.
    """
    if not records:
        said = "".join(f"; {count} {text}" for text, count in sorted((+Counter(notes)).items()))
        raise UserError(f"{source}: no image in it that is to be converted{said}")
    classes = read_names(names) if isinstance(names, str) else names
    finder = _Finder(Path(images)) if images else None
    jobs: list[tuple[Record, str]] = []
    taken: dict[str, str] = {}
    absent = 0
    for record in records:
        name = finder.find(record) if finder else record.name.replace("\\", "/")
        if record.spare and finder and not name:
            absent += 1
            continue
        image = name or f"\0{record.name}"
        if image in taken:
            raise UserError(
                f"{record.place}: the image {record.name} again, which {taken[image]} has; keep "
                "one of the two, or give both images names of their own"
            )
        taken[image] = record.place
        jobs.append((record, name))
    root = os.fspath(images) if images else ""
    counted = Counter(notes or ())
    counted[ABSENT] += absent
    if finder:
        counted[NO_RECORD] += len(finder.files - taken.keys())
    items = [
        Item(
            f"{os.path.join(root, name) if name else record.name} ({record.place})",
            (record, name),
            (record.file, *((os.path.join(root, name),) if root and name else ())),
        )
        for record, name in jobs
    ]
    key = {"format": tool, "source": os.path.abspath(source), "images": root, **(options or {})}
    return convert_images(
        output,
        partial(_convert, read=read, root=root, names=classes),
        items,
        key={**key, "names": classes},
        names=classes,
        description=f"labels of {tool}, {Path(source).resolve().name}",
        notes=counted,
        root=images,
        workers=workers,
        progress=progress,
    )


def label_of(value: object, place: str) -> str:
    """A class name, white space around removed.

    Raises:
        UserError: it is none.
    """
    name = str(value).strip() if type(value) in (str, int) else ""
    if not name:
        raise UserError(f"{place}: a shape without a class ({value!r}); label it, or remove it")
    return name


def _convert(
    argument: tuple[Record, str], *, read: Reader, root: str, names: Sequence[str] | None
) -> dict:
    record, name = argument
    size, notes = record.size, Counter[str]()
    if root:
        size = _image_size(record, root, name, notes)
    if size is None or min(size) < 1:
        raise UserError(f"{record.place}: no size of {record.name}; say --images DIR")
    try:
        found = read(record, size)
    except UserError:
        raise
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        # a list in the place of an object, a text in that of a list: JSON of another make. It may
        # be a fault of the reader, too, so that its line is told; worker processes keep no cause.
        logger.debug("%s: %s", record.place, record.content, exc_info=True)
        raise UserError(
            f"{record.place}: a value of another kind than the tool writes "
            f"({type(error).__name__}: {error}; {_line_of(error)}); export again, or correct the "
            "record; where it is sound, report this message"
        ) from error
    for box in found.boxes:
        if names is not None and box["category"] not in names:
            raise UserError(
                f"{record.place}: class {box['category']!r}; known are {', '.join(names)}; "
                "name it with --names, too, or correct the record"
            )
    boxes = [{"iscrowd": 0, **box} for box in found.boxes]
    image = {"file_name": name, "width": size[0], "height": size[1], **found.image}
    return image_result(image, boxes, notes + found.notes)


def _line_of(error: Exception) -> str:
    """Module and line of d2freq where it was raised, or that called what raised it."""
    places = [
        f"{frame.f_globals['__name__']}, line {line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__", "")).startswith("d2freq.")
    ]
    return places[-1]


def _image_size(record: Record, root: str, name: str, notes: Counter[str]) -> tuple[int, int]:
    if not name:
        raise UserError(
            f"{record.place}: no image {record.name!r} below {root}; fetch it, or name the folder "
            f"of the images with --images{record.cure}"
        )
    path = os.path.join(root, name)
    look = look_at(path)
    if look.fault:
        raise UserError(f"{path}: {look.fault} ({look.reason}); fetch it again")
    if record.size and record.size != look.size:
        if record.size == look.size[::-1] and look.turned:
            raise UserError(
                f"{path}: turned by its EXIF tag, but {record.place} has labels of the unturned "
                f"{record.size[0]} x {record.size[1]} pixels; remove the tag from the image "
                "(exiftool -Orientation= FILE) and convert again"
            )
        if not record.shares:
            raise UserError(
                f"{path}: {look.size[0]} x {look.size[1]} pixels, but {record.place} has labels of "
                f"{record.size[0]} x {record.size[1]}; give the images that were labelled"
            )
        notes[OTHER_SIZE] += 1
    return look.size


class _Finder:
    """The images below a folder, found by what tools write of their paths."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise UserError(f"{root}: no such folder of images")
        self.root = root
        self.files = set(files_below(root, PICTURES))
        self.index = NameIndex(self.files)

    def find(self, record: Record) -> str:
        """The path from the root, "" where there is no such image.

        Raises:
            UserError: several images fit as well.
        """
        found = self.index.find(record.name, same_folders=False)
        if len(found) > 1:
            raise UserError(
                f"{record.place}: {record.name} may be {found[0]} or {found[1]} in {self.root}; "
                "name the folder of the one that is meant with --images"
            )
        return found[0] if found else ""
