"""Annotated pictures: boxes on the pixels, and close-ups where a picture is too large to see them.

h x w are pixels of the drawing, not of the picture, which is enlarged or scaled down.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from d2freq.errors import UserError
from d2freq.inference.detections import Detections, Picture, PictureResult
from d2freq.inference.outputs.colours import colour_of
from d2freq.inference.outputs.file_names import files_of
from d2freq.inference.outputs.run_info import ReadWindow, RunInfo, Window
from d2freq.utils.drawing import INK, Labels, add_scale, write_line
from d2freq.utils.pixels import write_rgb

__all__ = ["write_pictures"]

logger = logging.getLogger(__name__)

SMALL, ENLARGED = 1024, 4  # the longer side of a small picture grows to it, at most fourfold
LARGE = 4096  # to which the longer side of a large one shrinks
LEAST = 9  # pixels of the drawing that a box is shown with at least
LABELS = 500  # written at most, those of the best scores
LEGEND = 30  # height of the strip with the classes
CLOSE, COLUMNS, ROWS = 192, 8, 6  # close-ups: their side, and how many there are on a sheet
AROUND = 3.0  # a close-up shows so many times the object's size, and NEAREST pixels at least
NEAREST = 32


def write_pictures(results: Sequence[PictureResult], folder: Path, run: RunInfo) -> list[Path]:
    """Pictures with boxes, pictures/*.jpg; of large ones also *_closeups.jpg, the best objects.

    Small pictures are enlarged, large ones scaled down to LARGE pixels, where a box stays visible
    and the object in it may not: the sheet of close-ups has its pixels. Shown is what scores
    ``run.score`` or more. A picture that cannot be read any more is left out, with a line.
    """
    if run.read is None:
        raise UserError(
            "annotated pictures need the pictures' pixels; leave out the format pictures"
        )
    root = folder / "pictures"
    root.mkdir(parents=True, exist_ok=True)
    searched = [result for result in results if not result.failure]
    files = files_of([result.picture for result in searched], "")
    faults = []
    for result, file in zip(searched, files, strict=True):
        found = result.detections
        found = found[found.scores >= run.score]
        try:
            drawing, zoom = _draw(result.picture, found, run, run.read)
            write_rgb(root / f"{file}.jpg", drawing)
            if zoom < 1 and len(found):
                write_rgb(
                    root / f"{file}_closeups.jpg",
                    _sheet(result.picture, found, run.read, run.names),
                )
        except (UserError, OSError) as error:
            faults.append(str(error))
    if faults:
        logger.warning("%d of %d pictures are not drawn: %s", len(faults), len(searched), faults[0])
    return [root]


def _draw(
    picture: Picture, found: Detections, run: RunInfo, read: ReadWindow
) -> tuple[np.ndarray, float]:
    """The drawing (h, w, 3) uint8 RGB with a legend below, and how much it is enlarged."""
    longer = max(picture.width, picture.height)
    zoom = LARGE / longer if longer > LARGE else min(max(SMALL / longer, 1.0), ENLARGED)
    size = max(1, round(picture.width * zoom)), max(1, round(picture.height * zoom))
    drawing = read(picture, (0, 0, picture.width, picture.height), size)
    _boxes(drawing, found, zoom, run.names)
    return np.vstack([drawing, _legend(found, run.names, size[0], zoom)]), zoom


def _boxes(
    drawing: np.ndarray,
    found: Detections,
    zoom: float,
    names: Sequence[str],
    start: Window | None = None,
) -> None:
    """Draw outlines around ``found``, the best score last, and labels where there is room."""
    import cv2

    x, y = (start[0], start[1]) if start else (0, 0)
    drawn: list[np.ndarray] = []
    thick = 1 if zoom < 1 else 2
    for place in range(len(found) - 1, -1, -1):
        x0, y0, x1, y1 = (found.boxes[place] - (x, y, x, y)) * zoom
        # around the object, not on it
        across = max(thick, (LEAST - (x1 - x0)) / 2)
        down = max(thick, (LEAST - (y1 - y0)) / 2)
        corners = np.round([x0 - across, y0 - down, x1 + across - 1, y1 + down - 1]).astype(int)
        colour = colour_of(int(found.classes[place]))
        left, top, right, bottom = corners.tolist()
        cv2.rectangle(drawing, (left, top), (right, bottom), colour, thick)
        drawn.append(corners)
    labels = Labels(drawing, np.array(drawn))
    # the best score first, which has its label where there is not room for all
    for place, corners in enumerate(drawn[: -LABELS - 1 : -1]):
        kind = int(found.classes[place])
        labels.write(f"{names[kind]} {found.scores[place]:.2f}", corners, colour_of(kind))


def _legend(found: Detections, names: Sequence[str], width: int, zoom: float) -> np.ndarray:
    """(LEGEND, width, 3): the classes and their numbers, as far as they fit, and a scale."""
    import cv2

    strip = np.full((LEGEND, width, 3), 255, np.uint8)
    left, end = 8, width * 3 // 4  # the scale has the rest
    counts = np.bincount(found.classes.astype(int), minlength=len(names))
    for kind in np.argsort(-counts, kind="stable").tolist():
        if counts[kind] and left < end:
            cv2.rectangle(strip, (left, 8), (left + 14, 22), colour_of(kind), -1)
            left = write_line(strip, f"{names[kind]} {counts[kind]}", left + 20, 20, INK, 0.45) + 20
    strip[:, end:] = 255
    add_scale(strip, zoom, middle=LEGEND // 2)
    return strip


def _sheet(
    picture: Picture, found: Detections, read: ReadWindow, names: Sequence[str]
) -> np.ndarray:
    """Close-ups of the best detections, by score, side by side in rows."""
    columns = min(COLUMNS, len(found))
    rows = min(ROWS, -(-len(found) // columns))
    sheet = np.full((rows * CLOSE, columns * CLOSE, 3), 255, np.uint8)
    for place in range(min(len(found), rows * columns)):
        x0, y0, x1, y1 = found.boxes[place]
        side = max(NEAREST, round(AROUND * max(x1 - x0, y1 - y0)))
        side = min(side, picture.width, picture.height)
        left = int(np.clip(round((x0 + x1 - side) / 2), 0, picture.width - side))
        top = int(np.clip(round((y0 + y1 - side) / 2), 0, picture.height - side))
        window = (left, top, left + side, top + side)
        near = read(picture, window, (CLOSE, CLOSE))
        _boxes(near, found[place : place + 1], CLOSE / side, names, window)
        row, column = divmod(place, columns)
        sheet[row * CLOSE : (row + 1) * CLOSE, column * CLOSE : (column + 1) * CLOSE] = near
    return sheet
