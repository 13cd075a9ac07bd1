"""A run of a detector over sources: batches over pictures, resumable, in a folder of its own.

The folder has ``run.parts`` while the run is not whole, the files of the formats when all pictures
are searched, and ``run.json``, written last, which says what was run on what.
"""

import errno
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from d2freq.data.tiles.geometry import Window
from d2freq.errors import UserError
from d2freq.inference.batches import Batches
from d2freq.inference.detections import Detections, Picture, PictureResult
from d2freq.inference.engines.engine import Engine
from d2freq.inference.parts import PARTS, Parts, Tile
from d2freq.inference.search import Choice, Prepared, full_tile, prepare, run_engine
from d2freq.inference.sources import Source, open_source
from d2freq.inference.sources.survey import count_tiles
from d2freq.inference.tiling import Merging, TilePlan, assemble
from d2freq.utils.files import read_json, write_json

__all__ = [
    "FULL",
    "RUN_FILE",
    "Found",
    "Settings",
    "disk_full",
    "prepare_folder",
    "refuse_other_run",
    "search",
    "write_run",
]

RUN_FILE = "run.json"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Settings:
    """What detections depend on beside model and pictures.

    Attributes:
        plan: how pictures are cut.
        merging: how tiles are put together.
        choice: which detections are wanted.
        batch: tiles that run at once.
    """

    plan: TilePlan
    merging: Merging = field(default_factory=Merging)
    choice: Choice = field(default_factory=Choice)
    batch: int = 4

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise UserError(f"--batch {self.batch}: at least one tile runs at once")


@dataclass
class Found:
    """What a run found.

    Attributes:
        results: of each picture, also of those that failed, in the order of the sources.
        searched, empty: tiles.
    """

    results: list[PictureResult] = field(default_factory=list)
    searched: int = 0
    empty: int = 0

    @property
    def failures(self) -> list[PictureResult]:
        """The pictures that could not be read or searched."""
        return [result for result in self.results if result.failure]


def refuse_other_run(folder: Path, *, resume: bool, overwrite: bool) -> None:
    """Raise UserError where the folder holds a run, and nothing says what to do about it."""
    if resume and overwrite:
        raise UserError("--resume goes on with a run, --overwrite starts it anew: take one of them")
    if resume or overwrite:
        return
    for name, state in ((RUN_FILE, "a finished run"), (PARTS, "an interrupted run")):
        if (folder / name).exists():
            raise UserError(
                f"{folder}: holds {state}; go on with --resume, start anew with --overwrite, or "
                "name another folder"
            )


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
    if before is not None and not parts.there:
        if before.get("options") != parts.key:
            raise UserError(
                f"{folder}: holds a finished run with other options; start anew with --overwrite, "
                "or name another folder"
            )
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
    run = _Run(engine, settings, parts)
    total = count_tiles(sources, settings.plan, limit)
    with tqdm(total=total, desc="searching", unit="tile", disable=not progress) as run.bar:
        try:
            for source in sources:
                if limit and len(run.pictures) >= limit:
                    break
                run.take(source, limit)
            run.finish()
        except _Stop as stop:
            error = stop.reason
            if isinstance(error, OSError) and error.errno in FULL:
                raise disk_full(parts.folder.parent, error) from error
            raise error from None
    return run.found


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


@dataclass
class _Open:
    """A picture whose tiles are not all searched yet."""

    place: int  # in the results
    picture: Picture
    windows: list[Window]
    left: int


class _Stop(Exception):
    """What ends the run, other than what ends the search of a single picture."""

    def __init__(self, reason: UserError | OSError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class _Run:
    bar: Any

    def __init__(self, engine: Engine, settings: Settings, parts: Parts) -> None:
        self.engine, self.settings, self.parts = engine, settings, parts
        self.found = Found()
        self.pictures: list[_Open | None] = []
        self._open: dict[str, _Open] = {}
        self._batches = Batches(settings.batch)

    def take(self, source: Source, limit: int) -> None:
        """Search the picture of a source, or the frames of a video."""
        before = len(self.pictures)
        try:
            for opened in open_source(source, first_id=before + 1):
                self._take_picture(opened)
                if limit and len(self.pictures) >= limit:
                    break
        except (UserError, OSError) as error:
            if len(self.pictures) == before or source.video:
                image_id = before + 1 if source.image_id is None else source.image_id
                picture = Picture(source.name, source.path, 0, 0, image_id)
                self._begin(picture, [])
            self._fail(len(self.pictures) - 1, str(error))

    def finish(self) -> None:
        """Search what is left of the batches."""
        for batch in self._batches.rest():
            self._search(batch)

    def _take_picture(self, opened: Any) -> None:
        picture = opened.picture
        windows = self.settings.plan.windows((picture.width, picture.height))
        full = full_tile(self.settings.plan, windows)
        state = self._begin(picture, windows)
        empty: list[tuple[Tile, Detections | None]] = []
        for place, window in enumerate(windows):
            tile = Tile(picture.name, picture.path, place)
            if self.parts.done(tile):
                self._count(state, place)
                continue
            pixels = opened.read(window)
            if pixels is None:
                empty.append((tile, None))
                continue
            prepared = prepare(pixels, self.engine.about, full=full)
            for batch in self._batches.add(tile, prepared):
                self._search(batch)
        self._keep(empty)
        for tile, _ in empty:
            self._count(state, tile.place)

    def _begin(self, picture: Picture, windows: list[Window]) -> _Open:
        state = _Open(len(self.pictures), picture, windows, len(windows))
        self.pictures.append(state)
        self.found.results.append(PictureResult(picture))
        self._open[picture.name] = state
        return state

    def _search(self, batch: list[tuple[Tile, Prepared]]) -> None:
        tiles = [tile for tile, _ in batch]
        try:
            found = run_engine(
                self.engine, [pixels for _, pixels in batch], choice=self.settings.choice
            )
        except UserError as error:
            raise _Stop(error) from error
        self._keep(list(zip(tiles, found, strict=True)))
        for tile in tiles:
            if tile.name in self._open:  # else its picture has failed at another tile
                self._count(self._open[tile.name], tile.place)

    def _keep(self, found: list[tuple[Tile, Detections | None]]) -> None:
        try:
            self.parts.add(found)
        except OSError as error:
            raise _Stop(error) from error

    def _count(self, state: _Open, place: int) -> None:
        tile = Tile(state.picture.name, state.picture.path, place)
        empty = self.parts.found(tile) is None
        self.found.empty += empty
        self.found.searched += not empty
        self.bar.update()
        state.left -= 1
        if not state.left:
            self._assemble(state)

    def _assemble(self, state: _Open) -> None:
        picture, names = state.picture, tuple(self.engine.about.names)
        own = [
            (window, found)
            for place, window in enumerate(state.windows)
            if (found := self.parts.found(Tile(picture.name, picture.path, place))) is not None
        ]
        together = assemble(
            [found for _, found in own],
            [window for window, _ in own],
            (picture.width, picture.height),
            merging=self.settings.merging,
            names=names,
        )
        self.found.results[state.place] = PictureResult(picture, self.settings.choice.of(together))
        self.parts.forget(picture.name, len(state.windows))
        self._close(state)

    def _fail(self, place: int, reason: str) -> None:
        self.found.results[place] = PictureResult(self.found.results[place].picture, failure=reason)
        state = self.pictures[place]
        if state is not None:
            self.bar.update(state.left)
            self._close(state)

    def _close(self, state: _Open) -> None:
        del self._open[state.picture.name]
        self.pictures[state.place] = None


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
