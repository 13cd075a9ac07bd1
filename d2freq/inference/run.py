"""A run of a detector over sources: batches over pictures, resumable, in a folder of its own.

The folder has ``run.parts`` while the run is not whole, the files of the formats when all pictures
are searched, and ``run.json``, written last, which says what was run on what.
"""

import errno
import shutil
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from d2freq.errors import UserError
from d2freq.inference.detections import Picture
from d2freq.inference.engines.engine import Engine
from d2freq.inference.parts import Parts
from d2freq.inference.searcher import Found, Searcher, Settings, Stop
from d2freq.inference.sources import Source, open_source
from d2freq.inference.sources.survey import count_tiles
from d2freq.utils.files import read_json, write_json
from d2freq.utils.output import RUN_FILE, refuse_other_run

__all__ = [
    "FULL",
    "disk_full",
    "prepare_folder",
    "search",
    "write_run",
]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def prepare_folder(folder: Path, parts: Parts, *, resume: bool, overwrite: bool) -> bool:
    """Make the folder ready for a run; False where a finished run with these options is there.

    Raises:
        UserError: it holds a run, and neither ``resume`` nor ``overwrite`` is set, or the run to
            be resumed was made with other options.
    """
    refuse_other_run(folder, resume=resume, overwrite=overwrite)
    before = read_json(folder / RUN_FILE)
    for draft in folder.rglob(".*.draft"):  # of a process that was killed
        draft.unlink(missing_ok=True)
    if overwrite:
        _remove_files(folder, before or {})
        parts.begin()
        return True
    if before is not None and before.get("options") != parts.key:
        raise UserError(
            f"{folder}: holds a finished run with other options; start anew with --overwrite, or "
            "name another folder with --output"
        )
    if before is not None and not parts.there:
        return False
    parts.resume()
    return True


def search(
    engine: Engine,
    sources: Sequence[Source],
    settings: Settings,
    parts: Parts,
    *,
    limit: int = 0,
    progress: bool = True,
) -> Found:
    """Search every picture, going on behind what ``parts`` has.

    A picture that cannot be read or searched is in the results with the reason, and ends nothing.

    Args:
        limit: of pictures; 0 takes all.

    Raises:
        UserError: not enough memory for a batch, or not enough disk.
    """
    total = count_tiles(sources, settings.plan, limit)
    first = max((source.image_id or 0 for source in sources), default=0) + 1
    with tqdm(total=total, desc="searching", unit="tile", disable=not progress) as bar:
        searcher = Searcher(engine, settings, parts, tick=bar.update)
        try:
            for source in sources:
                if limit and len(searcher.found.results) >= limit:
                    break
                _take(searcher, source, first + len(searcher.found.results), limit)
            searcher.finish()
        except Stop as stop:
            error = stop.reason
            if isinstance(error, OSError) and error.errno in FULL:
                raise disk_full(parts.folder.parent, error) from error
            raise error from None
    return searcher.found


def _take(searcher: Searcher, source: Source, first_id: int, limit: int) -> None:
    """Search the picture of a source, or the frames of a video; what fails is written down."""
    found = searcher.found.results
    before = len(found)
    try:
        for opened in open_source(source, first_id=first_id, reader=searcher.reader):
            searcher.take(opened)
            if limit and len(found) >= limit:
                break
    except (UserError, OSError) as error:
        unopened = None
        if len(found) == before or source.video:
            image_id = (
                first_id + len(found) - before if source.image_id is None else source.image_id
            )
            unopened = Picture(source.name, source.path, 0, 0, image_id)
        searcher.fail(str(error), unopened)


def write_run(folder: Path, parts: Parts, found: Found, files: Sequence[Path]) -> Path:
    """Say in ``run.json`` that the run is whole; parts stay where pictures failed, to be retried.

    Args:
        files: that the formats have written.
    """
    path = write_json(
        folder / RUN_FILE,
        {
            "options": parts.key,
            "pictures": len(found.results),
            "detections": sum(len(result.detections) for result in found.results),
            "tiles": {"searched": found.searched, "empty": found.empty},
            "failures": {result.picture.name: result.failure for result in found.failures},
            "files": sorted(file.relative_to(folder).as_posix() for file in files),
        },
        indent=1,
    )
    if not found.failures:
        parts.remove()
    return path


def disk_full(folder: Path, error: OSError) -> UserError:
    """The error that says so, and how to go on."""
    return UserError(
        f"{folder}: {error.strerror}; make room there, and the same command with --resume goes on"
    )


def _remove_files(folder: Path, before: dict) -> None:
    """What a finished run has written, and nothing else."""
    (folder / RUN_FILE).unlink(missing_ok=True)
    for name in before.get("files", []):
        path = folder / str(name)
        if folder.resolve() not in path.resolve().parents:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
