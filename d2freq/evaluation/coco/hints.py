"""What detections that do not fit seem to be: corners, shares, another scale, other classes.

The measure stays what it is; a sentence says how the boxes would fit. D detections and G boxes of
ground truth that are looked at, P pairs of both in one image.
"""

from collections.abc import Iterator

import numpy as np

from d2freq.data.coco.readings import READINGS, WORDS, suspect
from d2freq.evaluation.coco.guard import Detections, GroundTruth

__all__ = ["hints"]

IMAGES = 200  # that are looked at
PAIRS = 40_000
HALF = 0.5  # overlap of a hit
FEW, MANY = 0.1, 0.4  # shares of hits as written, and as read otherwise
NEAR = 0.1  # a scale so near to 1 may fit by chance
# sides to which pictures are commonly resized before they are searched
TARGETS = (320, 416, 512, 608, 640, 736, 768, 800, 896, 960, 1024, 1280, 1333, 1536, 1920, 2048)
FACTORS = (0.25, 1 / 3, 0.5, 2 / 3, 0.75, 0.8, 1.25, 4 / 3, 1.5, 2.0, 3.0, 4.0)


def hints(truth: GroundTruth, detections: Detections) -> list[str]:
    """Sentences on boxes that seem to be written by another convention; [] where none is needed.

    Args:
        truth, detections: as the guard gives them, with sizes of the images.
    """
    if not len(detections) or not len(truth.image_wh):
        return []
    order = np.searchsorted(truth.image_ids, detections.image_id)
    sizes = truth.image_wh[order]
    rows = _looked_at(detections)
    reading, why = suspect(detections.xywh[rows], sizes[rows])
    if reading:
        return [f"hint: {why}; detections are x, y, width, height in pixels of their images"]
    rows, det, box = _pairs(truth, detections, rows)
    if not len(det):
        return []
    found, own = detections.xywh[rows], truth.xywh[box]
    hits = _hits(found, own, det, len(rows))
    if hits >= FEW:
        return _other_classes(truth, detections, rows[det], box, len(rows)) if hits >= MANY else []
    share, words = max(
        _readings(found, own, det, sizes[rows], len(rows)), key=lambda reading: reading[0]
    )
    if share < MANY:
        return []
    return [
        f"hint: as they are written {100 * hits:.0f} % of the best detections overlap an object by "
        f"half, read as {words} {100 * share:.0f} %"
    ]


def _looked_at(detections: Detections) -> np.ndarray:
    """Rows of the detections of a part of the images, spread over all."""
    images = np.unique(detections.image_id)
    step = max(1, len(images) // IMAGES)
    return np.flatnonzero(np.isin(detections.image_id, images[::step]))


def _pairs(
    truth: GroundTruth, detections: Detections, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of the best detections of each image, as many as it has objects; pairs with these."""
    solid = np.flatnonzero(~truth.crowd)
    kept: list[np.ndarray] = []
    det: list[np.ndarray] = []
    box: list[np.ndarray] = []
    total = 0
    for image in np.unique(detections.image_id[rows]):
        own = solid[truth.image_id[solid] == image]
        mine = rows[detections.image_id[rows] == image]
        mine = mine[np.argsort(-detections.score[mine], kind="stable")][: len(own)]
        if not len(mine):
            continue
        start = sum(map(len, kept))
        kept.append(mine)
        det.append(np.repeat(np.arange(start, start + len(mine)), len(own)))
        box.append(np.tile(own, len(mine)))
        total += len(det[-1])
        if total > PAIRS:
            break
    empty = [np.zeros(0, np.int64)]
    return tuple(np.concatenate(each or empty) for each in (kept, det, box))  # type: ignore[return-value]


def _other_classes(
    truth: GroundTruth, detections: Detections, det: np.ndarray, box: np.ndarray, count: int
) -> list[str]:
    """A sentence where the boxes fit, but nearly all have another class than the object there.

    Args:
        det: (P,) the detection of each pair, of all.
        box: (P,) its box of ground truth.
        count: detections that are looked at.
    """
    hit = _overlaps(detections.xywh[det], truth.xywh[box]) >= HALF
    det, box = det[hit], box[hit]
    kinds, wish = detections.category_id[det], truth.category_id[box]
    if len(np.unique(det[kinds == wish])) / count >= FEW:
        return []
    pairs, counts = np.unique(np.stack([kinds, wish]), axis=1, return_counts=True)
    one, other = pairs[:, counts.argmax()].tolist()
    return [
        f"hint: {100 * len(np.unique(det)) / count:.0f} % of the best detections overlap an object "
        f"by half, nearly none one of their own class; most that are {one} "
        f"({truth.categories[one]}) lie on {other} ({truth.categories[other]}): compare the "
        "categories of the detector's data set with those of the ground truth (d2freq validate "
        "--against)"
    ]


def _readings(
    found: np.ndarray, own: np.ndarray, det: np.ndarray, sizes: np.ndarray, count: int
) -> Iterator[tuple[float, str]]:
    """Shares of hits, and of which reading they are."""
    for key, read in READINGS.items():
        yield _hits(read(found, sizes), own, det, count), WORDS[key]
    centred = np.hstack([found[:, :2] - found[:, 2:] / 2, found[:, 2:]])
    yield _hits(centred, own, det, count), "centres with width and height"
    turned = found[:, [1, 0, 3, 2]]
    yield _hits(turned, own, det, count), "y before x"
    for factor in FACTORS:
        text = f"boxes of pictures resized by {1 / factor:.3g}"
        yield _hits(found * factor, own, det, count), text
    for side in TARGETS:
        for text, scale in (
            (f"longer side of {side}", sizes.max(1, keepdims=True) / side),
            (f"shorter side of {side}", sizes.min(1, keepdims=True) / side),
            (f"size of {side} x {side}", np.hstack([sizes, sizes]) / side),
        ):
            if abs(np.median(scale) - 1) < NEAR:
                continue
            words = f"boxes of pictures resized to a {text} pixels"
            yield _hits(found * scale, own, det, count), words


def _hits(found: np.ndarray, own: np.ndarray, det: np.ndarray, count: int) -> float:
    """The share of ``count`` detections that overlap a box of their pairs by half or more.

    Args:
        found: (D, 4) x, y, width, height.
        own: (P, 4), of ground truth.
        det: (P,) the detection of each pair.
    """
    hit = _overlaps(found[det], own) >= HALF
    return len(np.unique(det[hit])) / count


def _overlaps(one: np.ndarray, own: np.ndarray) -> np.ndarray:
    """(P,) intersection over union of boxes (P, 4) with boxes (P, 4)."""
    low = np.maximum(one[:, :2], own[:, :2])
    high = np.minimum(one[:, :2] + one[:, 2:], own[:, :2] + own[:, 2:])
    both = np.clip(high - low, 0, None).prod(axis=1) * (one[:, 2:] > 0).all(axis=1)
    union = one[:, 2:].prod(axis=1) + own[:, 2:].prod(axis=1) - both
    return both / np.maximum(union, 1e-9)
