"""From the detections that each process saw, batch by batch, to those of the data set."""

from collections.abc import Sequence

import numpy as np

from d2freq.evaluation.coco.guard import Detections

REPEATED = "on an image that was processed before"
Seen = tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]
"""An image: id, corners x0 y0 x1 y1 (N, 4) and scores (N,) float32, classes (N,), masks or None."""


def join(images: Sequence[Seen]) -> tuple:
    """What one process saw of B images and N detections.

    Image ids (B,) and how many detections each has (B,), int64; then corners (N, 4) and scores
    (N,), float32, classes (N,), int64, and masks (N,), None if some image has none.
    """
    if not images:
        none, flat = np.zeros(0, np.int64), np.zeros(0, np.float32)
        return none, none, flat.reshape(0, 4), flat, none, None
    image_ids, boxes, scores, classes, masks = zip(*images, strict=True)
    return (
        np.array(image_ids, np.int64),
        np.array([len(score) for score in scores], np.int64),
        np.concatenate(boxes),
        np.concatenate(scores),
        np.concatenate(classes).astype(np.int64),
        None if any(each is None for each in masks) else np.concatenate(masks),
    )


def merge(parts: Sequence[tuple]) -> Detections:
    """The detections of all processes, of each image as it came first.

    Detectron2's InferenceSampler gives each image once, but samplers that pad the shares of the
    processes to one length give some again.

    Sides are differences of the corners in float64: in float32 they are rounded, which takes boxes
    over the ends of size classes (a box of 8.0000002 pixels has 64 square pixels then).

    Args:
        parts: of each process what ``join`` gives.

    Returns:
        the model's classes stand in ``category_id``.
    """
    parts = [part for part in parts if len(part[0])] or list(parts[:1])  # some had no images
    *columns, shapes = zip(*parts, strict=True)
    images, sizes, corners, score, classes = map(np.concatenate, columns)
    first = np.zeros(len(images), bool)
    first[np.unique(images, return_index=True)[1]] = True
    keep = np.repeat(first, sizes)
    xywh = corners.astype(np.float64)
    xywh[:, 2:] -= xywh[:, :2]
    found = Detections(
        np.repeat(images, sizes),
        classes,
        xywh,
        score.astype(np.float64),
        masks=None if any(each is None for each in shapes) else np.concatenate(shapes),
    )
    return found if keep.all() else found.select(keep, {REPEATED: int((~keep).sum())})
