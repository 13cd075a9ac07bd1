"""Pictures in, detections out: tiles in batches over pictures, what is known already left out.

Errors of a picture are its reader's, or those of :func:`~d2freq.inference.search.prepare`; whoever
hands pictures over decides what they mean. What ends the search of all pictures is a :class:`Stop`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from d2freq.data.tiles.geometry import Window
from d2freq.errors import UserError
from d2freq.inference.batches import Batches
from d2freq.inference.detections import Detections, Picture, PictureResult
from d2freq.inference.engines.engine import Engine
from d2freq.inference.parts import Parts, Tile
from d2freq.inference.resize import factor
from d2freq.inference.search import (
    Choice,
    Prepared,
    check_large_enough,
    full_tile,
    prepare,
    run_engine,
)
from d2freq.inference.sources.source import OpenPicture
from d2freq.inference.tiling import Merging, TilePlan, assemble
from d2freq.utils.pixels import PixelReader

__all__ = ["Found", "Searcher", "Settings", "Stop"]


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


class Stop(Exception):
    """What ends the search of all pictures: ``reason`` is an error for the user, or of the disk."""

    def __init__(self, reason: UserError | OSError) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass
class _Open:
    """A picture whose tiles are not all searched yet."""

    place: int  # in the results
    picture: Picture
    windows: list[Window]
    found: dict[int, Detections | None] = field(default_factory=dict)  # by place; None: empty

    def tile(self, place: int) -> Tile:
        return Tile(self.picture.name, self.picture.path, place)


class Searcher:
    """Takes pictures, one after another, and fills ``found``.

    Args:
        engine: what runs the model.
        settings: tiles, merging, choice, batch.
        parts: where tiles are kept for a run that goes on later; None keeps nothing.
        tick: called with the number of tiles that are dealt with, for a progress bar.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        parts: Parts | None = None,
        *,
        tick: Callable[[int], object] = int,
    ) -> None:
        self.found = Found()
        self._engine, self._settings, self._parts, self._tick = engine, settings, parts, tick
        self._open: dict[str, _Open] = {}
        self._batches = Batches(settings.batch)

    @property
    def reader(self) -> PixelReader | None:
        """What the model's pictures are opened with; None: as 8-bit RGB."""
        return self._engine.about.reader

    def take(self, opened: OpenPicture) -> None:
        """Search a picture, whose name no other has; some of it may wait for later pictures.

        Raises:
            UserError, OSError: a tile cannot be read, or is too small; see ``fail``.
            Stop: not enough memory or disk.
        """
        picture = opened.picture
        windows = self._settings.plan.windows((picture.width, picture.height))
        full = full_tile(self._settings.plan, windows)
        state = self._begin(picture, windows)
        empty = []
        for place, window in enumerate(windows):
            tile = state.tile(place)
            if self._parts is not None and self._parts.done(tile):
                self._add(state, place, self._parts.pop(tile))
                continue
            pixels = opened.read(window)
            if pixels is None:
                # a picture of a few pixels is often of one colour, and no less too small
                check_large_enough((window.height, window.width), self._engine.about, full=full)
                empty.append(place)
                continue
            prepared = prepare(pixels, self._engine.about, full=full)
            for batch in self._batches.add(tile, prepared):
                self._search(batch)
        self._keep([(state.tile(place), None) for place in empty])
        for place in empty:
            self._add(state, place, None)

    def finish(self) -> None:
        """Search what is left of the batches.

        Raises:
            Stop: see take.
        """
        for batch in self._batches.rest():
            self._search(batch)

    def fail(self, reason: str, picture: Picture | None = None) -> None:
        """Write down that the last picture, or one that could not be opened, has failed."""
        if picture is not None:
            self._begin(picture, [])
        place = len(self.found.results) - 1
        failed = self.found.results[place].picture
        self.found.results[place] = PictureResult(failed, failure=reason)
        state = self._open.pop(failed.name, None)
        if state is not None:
            self._tick(len(state.windows) - len(state.found))

    def _begin(self, picture: Picture, windows: list[Window]) -> _Open:
        state = _Open(len(self.found.results), picture, windows)
        self.found.results.append(PictureResult(picture))
        self._open[picture.name] = state
        return state

    def _search(self, batch: list[tuple[Tile, Prepared]]) -> None:
        tiles, pixels = zip(*batch, strict=True)
        try:
            found = run_engine(self._engine, pixels, choice=self._settings.choice)
        except UserError as error:
            raise Stop(error) from error
        self._keep(list(zip(tiles, found, strict=True)))
        for tile, own in zip(tiles, found, strict=True):
            state = self._open.get(tile.name)
            if state is not None:  # else its picture has failed at another tile
                self._add(state, tile.place, own)

    def _keep(self, found: list[tuple[Tile, Detections | None]]) -> None:
        if self._parts is None:
            return
        try:
            self._parts.add(found)
        except OSError as error:
            raise Stop(error) from error

    def _add(self, state: _Open, place: int, found: Detections | None) -> None:
        state.found[place] = found
        self.found.empty += found is None
        self.found.searched += found is not None
        self._tick(1)
        if len(state.found) == len(state.windows):
            self._assemble(state)

    def _assemble(self, state: _Open) -> None:
        picture, windows = state.picture, state.windows
        about = self._engine.about
        searched = [(n, own) for n, own in sorted(state.found.items()) if own is not None]
        together = assemble(
            [own for _, own in searched],
            [windows[n] for n, _ in searched],
            (picture.width, picture.height),
            merging=self._settings.merging,
            names=tuple(about.names),
            scale=factor(about, full_tile(self._settings.plan, windows)),
        )
        wanted = self._settings.choice.of(together)
        self.found.results[state.place] = PictureResult(picture, wanted)
        del self._open[picture.name]
