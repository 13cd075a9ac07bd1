"""CSV: one row for each detection, as spreadsheets and pandas read it."""

import csv
from collections.abc import Sequence
from pathlib import Path

from d2freq.inference.detections import PictureResult
from d2freq.inference.outputs.run_info import RunInfo
from d2freq.utils.files import replacing

__all__ = ["COLUMNS", "CSV_FILE", "write_csv"]

CSV_FILE = "detections.csv"
COLUMNS = (
    *("picture", "image_id", "frame", "class", "category_id", "score"),
    *("x", "y", "width", "height", "picture_width", "picture_height"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


def write_csv(results: Sequence[PictureResult], folder: Path, run: RunInfo) -> list[Path]:
    """A row for each detection, detections.csv, in pixels of the picture.

    ``x`` and ``y`` are the left upper corner. ``frame`` is empty but for videos. A name that begins
    like a formula gets an apostrophe in front, so that no spreadsheet runs it.
    """
    path = folder / CSV_FILE
    names = [_plain(name) for name in run.names]
    with replacing(path) as draft, open(draft, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for result in results:
            picture, found = result.picture, result.detections
            frame = "" if picture.frame is None else picture.frame
            head = (_plain(picture.name), picture.image_id, frame)
            size = (picture.width, picture.height)
            columns = (found.boxes.tolist(), found.scores.tolist(), found.classes.tolist())
            for (x0, y0, x1, y1), score, kind in zip(*columns, strict=True):
                box = (x0, y0, x1 - x0, y1 - y0)
                rows.writerow([*head, names[kind], run.ids[kind], score, *box, *size])
    return [path]


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text
