"""From the words of a command to the files that are searched, in a fixed order."""

import glob
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from d2freq.data.coco.near_names import near_hint
from d2freq.data.coco.read import read_coco
from d2freq.errors import DatasetError, UserError
from d2freq.inference.sources.below import pictures_below
from d2freq.inference.sources.raster import RASTERS
from d2freq.inference.sources.source import Source
from d2freq.inference.sources.video import VIDEOS
from d2freq.utils.names import PICTURES
from d2freq.utils.present import present_source
from d2freq.utils.text import read_text

__all__ = ["COCO_FILES", "find_sources"]

logger = logging.getLogger(__name__)

ENDINGS = tuple(dict.fromkeys((*PICTURES, ".gif", *RASTERS)))
COCO_FILES = (".json", ".json.gz")  # endings of files that list pictures


def find_sources(
    words: Sequence[str | os.PathLike],
    *,
    images: str | os.PathLike | None = None,
    leave_out: str | os.PathLike | None = None,
) -> list[Source]:
    """The files that words stand for, each once, ordered by word and then by path.

    A word is a picture, a video, a folder (with all below it), a glob, a ``.txt`` file of paths,
    one a line, or a ``.json`` file in COCO's format. Files that are listed by a ``.txt`` or
    ``.json`` file need not be there: they fail when they are opened, each by itself.

    Args:
        images: the folder that a COCO file's file names are relative to; None: its own.
        leave_out: a folder that is not searched, the output of the run itself.

    Raises:
        UserError: no such source, no picture among them, or two pictures of one COCO id.
        DatasetError: a faulty COCO file.
    """
    left_out = Path(leave_out).resolve() if leave_out is not None else None
    found: dict[str, Source] = {}
    for word in map(str, words):
        of_word = _of_word(word, images)
        for source in of_word:
            path = os.path.abspath(source.path)
            if left_out is None or left_out not in Path(path).resolve().parents:
                found.setdefault(path if source.image_id is None else f"{path}\n{word}", source)
    if not found:
        said = ", ".join(map(str, words)) or "nothing"
        raise UserError(
            f"no picture in {said}; pictures end in {' '.join(ENDINGS)}, videos in "
            f"{' '.join(VIDEOS)}"
        )
    sources = _with_own_names(list(found.values()))
    _check_ids(sources)
    return sources


def _check_ids(sources: list[Source]) -> None:
    seen: dict[int, str] = {}
    for source in sources:
        if source.image_id is not None:
            if source.image_id in seen:
                raise UserError(
                    f"{source.path} and {seen[source.image_id]} both have the id "
                    f"{source.image_id} in COCO files; search the files one at a time"
                )
            seen[source.image_id] = source.path


def _of_word(word: str, images: str | os.PathLike | None) -> list[Source]:
    path = Path(word)
    if path.is_dir():
        files = pictures_below(path, (*ENDINGS, *VIDEOS))
        return [_file(file, file.relative_to(path).as_posix()) for file in files]
    if path.is_file():
        name = path.name.lower()
        if name.endswith(".txt"):
            return list(_listed(path))
        if name.endswith(COCO_FILES):
            return list(_coco(path, Path(images) if images is not None else path.parent))
        return [_file(path, path.name)]  # whatever its ending: opening it will tell
    if glob.has_magic(word):
        names = sorted(filter(os.path.isfile, glob.glob(word, recursive=True)))
        files = [Path(name) for name in names if _is_searched(Path(name))]
        fixed = Path(*_fixed_parts(path))
        return [_file(file, file.relative_to(fixed).as_posix()) for file in files]
    present_source(word)
    return [_file(path, path.name)]  # a pipe or a device: opening it will tell


def _fixed_parts(path: Path) -> list[str]:
    """The folders of a glob before its first sign of magic."""
    parts: list[str] = []
    for part in path.parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return parts


def _is_searched(path: Path) -> bool:
    return path.suffix.lower() in (*ENDINGS, *VIDEOS) and not path.name.startswith(".")


def _file(path: Path, name: str) -> Source:
    return Source(name, str(path), video=path.suffix.lower() in VIDEOS)


def _listed(file: Path) -> Iterator[Source]:
    """A path a line, relative to the working directory, or else to the file's own folder."""
    try:
        text = read_text(file)
    except OSError as error:
        raise UserError(f"{file}: no list of paths that can be read ({error})") from error
    for line in text.splitlines():
        word = line.strip()
        if word and not word.startswith("#"):
            path = Path(word)
            beside = file.parent / word
            path = beside if not path.exists() and beside.exists() else path
            parts = [part for part in Path(word).parts if part not in (".", "..")]
            yield _file(path, path.name if Path(word).is_absolute() else "/".join(parts))


def _coco(file: Path, folder: Path) -> Iterator[Source]:
    records = read_coco(file).get("images")
    if not isinstance(records, list):
        raise DatasetError(f"{file}: has no list images, so it is no COCO file")
    names = [str(r["file_name"]) for r in records if isinstance(r, dict) and "file_name" in r]
    if hint := near_hint(names, folder, file):
        logger.warning(hint)
    for place, record in enumerate(records):
        try:
            name, image_id = str(record["file_name"]), record["id"]
            size = (record["width"], record["height"]) if "width" in record else None
        except (KeyError, TypeError) as error:
            raise DatasetError(f"{file}: images[{place}] has no {error}") from error
        if type(image_id) is not int:
            raise DatasetError(f"{file}: images[{place}] has id {image_id!r}, not a whole number")
        yield Source(name, str(folder / name), image_id=image_id, size=size)


def _with_own_names(sources: list[Source]) -> list[Source]:
    """The same with names that tell them apart: of namesakes the folders before them, too."""
    parts = [Path(source.path).absolute().parts for source in sources]
    names = [source.name for source in sources]
    depth = [len(Path(name).parts) for name in names]
    while len(set(names)) < len(names):
        seen: dict[str, list[int]] = {}
        for n, name in enumerate(names):
            seen.setdefault(name, []).append(n)
        moved = False
        for rows in seen.values():
            for n in rows if len(rows) > 1 else ():
                if depth[n] < len(parts[n]) - 1:
                    depth[n] += 1
                    names[n] = "/".join(parts[n][-depth[n] :])
                    moved = True
        if not moved:  # one file in two COCO files
            names = [f"{n + 1}/{name}" for n, name in enumerate(names)]
    return [replace(source, name=name) for source, name in zip(sources, names, strict=True)]
