"""What was found on the tiles of one picture, as detections on the picture.

Shape legend: T tiles, N detections.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from d2freq.data.tiles.geometry import Window
from d2freq.evaluation.coco.guard import Detections as Rows
from d2freq.evaluation.coco.merge_tiles import check_merge, merge
from d2freq.evaluation.coco.seams import TOUCH, seen_better
from d2freq.inference.detections import Detections

__all__ = ["Merging", "assemble"]


@dataclass(frozen=True)
class Merging:
    """How detections of several tiles become one.

    Attributes:
        method: "nms", "weighted" or "soft"; see d2freq.evaluation.coco.merge_tiles.
        iou_threshold: overlap from which two of one class are the same object.

    Raises:
        UserError: an unknown method, or a threshold out of [0, 1].
    """

    method: str = "nms"
    iou_threshold: float = 0.5

    def __post_init__(self) -> None:
        check_merge(self.method, self.iou_threshold)


def assemble(
    found: Sequence[Detections],
    tiles: Sequence[Window],
    size: tuple[int, int],
    *,
    merging: Merging,
    names: tuple[str, ...] = (),
    scale: float = 1.0,
) -> Detections:
    """Detections on the picture, best first.

    Args:
        found: of each tile, in its own pixels.
        tiles: where they lie, only those that were searched.
        size: (width, height) of the picture.
        scale: by which tiles were enlarged for the network.
    """
    if not tiles:
        return Detections.none(names)
    if len(tiles) == 1:  # the model has merged them itself
        return _moved(found[0], tiles[0])
    moved = [_moved(own, tile) for own, tile in zip(found, tiles, strict=True)]
    boxes = np.concatenate([own.boxes for own in moved])
    scores = np.concatenate([own.scores for own in moved])
    classes = np.concatenate([own.classes for own in moved])
    number = np.repeat(np.arange(len(tiles)), [len(own) for own in moved])
    corners = np.array([[t.x, t.y, t.x + t.width, t.y + t.height] for t in tiles], np.float64)
    kept = ~seen_better(boxes, number, corners, size, touch=TOUCH / scale)
    boxes, scores, classes = boxes[kept], scores[kept], classes[kept]
    xywh = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    image = np.zeros(len(scores), np.int64)
    rows = merge(
        Rows(image, classes, xywh, scores),
        method=merging.method,
        iou_threshold=merging.iou_threshold,
    )
    order = np.lexsort((rows.category_id, -rows.score))
    xywh = rows.xywh[order]
    return Detections(
        np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1),
        rows.score[order],
        rows.category_id[order],
        names,
    )


def _moved(found: Detections, tile: Window) -> Detections:
    return replace(found, boxes=found.boxes + np.array([tile.x, tile.y] * 2, np.float64))
