"""What a run has found so far, kept in its folder until the run is whole.

``run.parts/done.jsonl`` has a line for each batch of tiles: the detections on each, and the time
and size of its picture's file, so that a picture that has changed is searched again. A line that
was cut off by an interruption counts as not written. ``run.parts/key.json`` says what all of it
depends on.
"""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from d2freq.errors import UserError
from d2freq.inference.detections import Detections
from d2freq.utils.files import write_json
from d2freq.utils.jobs import read_key, stamp
from d2freq.utils.output import PARTS

__all__ = ["Parts", "Tile"]

FREE = {"format"}  # of the key, as files are written behind the search


class Tile(NamedTuple):
    """One tile of one picture: the picture's name, its file, and the tile's place in the plan."""

    name: str
    path: str
    place: int


@dataclass
class Parts:
    """The finished tiles of a run.

    Args:
        folder: of the run.
        key: all that detections depend on beyond the pictures' files; JSON types.
        names: of the classes.
    """

    folder: Path
    key: dict[str, Any]
    names: tuple[str, ...] = ()
    _done: dict[tuple[str, int], tuple[Any, Detections | None]] = field(default_factory=dict)
    _stamps: dict[str, list[int] | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder = Path(self.folder) / PARTS
        self.key = json.loads(json.dumps(self.key, default=str))

    @property
    def there(self) -> bool:
        """Whether a run was begun here and is not whole."""
        return read_key(self.folder) is not None

    def begin(self) -> None:
        """Start with nothing."""
        shutil.rmtree(self.folder, ignore_errors=True)
        write_json(self.folder / "key.json", self.key, indent=1)

    def resume(self) -> None:
        """Go on with what is there; without a run the same as begin.

        Raises:
            UserError: it was made with other options; formats alone may be others.
        """
        before = read_key(self.folder)
        if before is None:
            self.begin()
            return
        changed = sorted(
            name for name in {*before, *self.key} - FREE if before.get(name) != self.key.get(name)
        )
        if changed:
            name = changed[0]
            raise UserError(
                f"{self.folder.parent}: the run there was made with {name} {before.get(name)!r}, "
                f"not {self.key.get(name)!r}; resume it with the same options, or start anew with "
                "--overwrite"
            )
        write_json(self.folder / "key.json", self.key, indent=1)
        self._read()

    def done(self, tile: Tile) -> bool:
        """Whether a tile was searched, in the file as it is now."""
        return self._done.get((tile.name, tile.place), (0, None))[0] == self._stamp(tile.path)

    def pop(self, tile: Tile) -> Detections | None:
        """What was found on a finished tile, once; None where it was empty."""
        return self._done.pop((tile.name, tile.place))[1]

    def add(self, found: Sequence[tuple[Tile, Detections | None]]) -> None:
        """Keep the detections of tiles on disk, together or not at all; None: an empty tile."""
        if not found:
            return
        rows = []
        for tile, own in found:
            columns = None
            if own is not None:
                columns = [own.boxes.tolist(), own.scores.tolist(), own.classes.tolist()]
            rows.append([tile.name, tile.place, self._stamp(tile.path), columns])
        with open(self.folder / "done.jsonl", "a", encoding="ascii", newline="\n") as file:
            file.write(json.dumps(rows, separators=(",", ":")) + "\n")

    def remove(self) -> None:
        """The run is whole."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self) -> None:
        log = self.folder / "done.jsonl"
        if not log.is_file():
            return
        whole = 0  # bytes
        with open(log, "rb") as file:
            for line in file:
                try:
                    rows = json.loads(line) if line.endswith(b"\n") else None
                except ValueError:
                    rows = None
                if rows is None:
                    break
                whole += len(line)
                for name, place, made, columns in rows:
                    self._done[name, place] = made, self._detections(columns)
        os.truncate(log, whole)

    def _detections(self, columns: list | None) -> Detections | None:
        if columns is None:
            return None
        boxes, scores, classes = columns
        return Detections(
            np.array(boxes, np.float64).reshape(-1, 4),
            np.array(scores, np.float64),
            np.array(classes, np.int64),
            self.names,
        )

    def _stamp(self, path: str) -> list[int] | None:
        if path not in self._stamps:
            self._stamps[path] = stamp(path)
        return self._stamps[path]
