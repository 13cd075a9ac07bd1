"""The ``area`` of an annotation against its box: which are taken as width times height.

N annotations.
"""

from typing import Any, NamedTuple

import numpy as np

from d2freq.data.coco.faults_of_records import is_number, record_name
from d2freq.data.coco.outlines import number, outline_ill
from d2freq.data.coco.report import Report
from d2freq.data.coco.run_lengths import lengths_of_text

__all__ = [
    "FAR_LARGER",
    "FAR_SMALLER",
    "LARGER",
    "NO_AREA",
    "TEXT_AREA",
    "as_taken",
    "note_areas",
]

NO_AREA = "no area"
TEXT_AREA = "area as text"
LARGER = "area larger than the box"
FAR_LARGER = "area far larger than the box"
FAR_SMALLER = "area far smaller than the box"
# Areas of masks are smaller than their boxes, and rounded boxes differ a little.
SLACK = 1.01
# No mask is so thin, nor so far over its box: such an area is of another unit or scale.
FAR = 20.0
AGREE = 2.0  # factor within which the area of a polygon supports the one that is written


class Odd(NamedTuple):
    """(N,) bool each: what is odd about an area."""

    missing: np.ndarray
    larger: np.ndarray
    far_larger: np.ndarray
    far_smaller: np.ndarray
    text: np.ndarray


def as_taken(
    annotations: list[dict], xywh: np.ndarray, solid: np.ndarray
) -> tuple[np.ndarray, Odd]:
    """The areas that are measured by, (N,) float64, and what is odd about those that are written.

    An area that is missing or far from the box is width times height, but for a thin object whose
    polygons have the area that is written.

    Args:
        annotations: sound records.
        xywh: (N, 4) float64, their boxes.
        solid: (N,) bool, boxes with an extent.
    """
    given = [a.get("area") for a in annotations]
    texts = [isinstance(value, str) for value in given]
    if any(texts):
        given = [number(value) for value in given]
    area = np.array([value if is_number(value) else np.nan for value in given], np.float64)
    box = xywh[:, 2] * xywh[:, 3]
    missing = solid & ~((area > 0) & (area < np.inf))
    with np.errstate(invalid="ignore"):
        larger = solid & ~missing & (area > box * SLACK)
        far_larger = larger & (area > box * FAR)
        far_smaller = solid & ~missing & (area * FAR <= box)
    for row in np.flatnonzero(far_smaller):
        outlined = _area_of(annotations[row].get("segmentation"))
        if outlined and 1 / AGREE < outlined / area[row] < AGREE:
            far_smaller[row] = False
    taken = np.where(missing | far_larger | far_smaller, box, area)
    text = solid & ~missing & np.array(texts, bool)
    return taken, Odd(missing, larger & ~far_larger, far_larger, far_smaller, text)


def note_areas(report: Report, annotations: list, where: np.ndarray, odd: Odd) -> None:
    """Tell of odd areas; ``where`` (N,) are positions in the file's list of annotations."""

    def bare(position: int) -> str:
        return record_name("annotations", annotations, position)

    def measured(position: int) -> str:
        record = annotations[position]
        return f"{bare(position)} has bbox {record['bbox']} and area {record['area']!r}"

    taken = "Taken as width x height, also by the size classes of protocols."
    written = "A mask is no larger than its box; size classes go by the area as it is written."
    for faults, kind, cure, mask, describe in (
        (report.repairs, NO_AREA, "Taken as width x height.", odd.missing, bare),
        (report.repairs, TEXT_AREA, "Taken as the number.", odd.text, measured),
        (report.repairs, LARGER, written, odd.larger, measured),
        (report.repairs, FAR_LARGER, taken, odd.far_larger, measured),
        (report.notes, FAR_SMALLER, taken, odd.far_smaller, measured),
    ):
        report.records(faults, kind, cure, "annotations", where[mask], describe)


def _area_of(segmentation: Any) -> float:
    """Square pixels within the polygons or run lengths; 0 where there are none, or faulty ones."""
    if not segmentation or outline_ill(segmentation)[0] in ("malformed", "hollow"):
        return 0.0
    if isinstance(segmentation, dict):
        counts = segmentation["counts"]
        return sum((lengths_of_text(counts) if isinstance(counts, str) else counts)[1::2])
    total = 0.0
    for polygon in segmentation:
        x, y = np.array(polygon[: len(polygon) // 2 * 2], np.float64).reshape(-1, 2).T
        total += abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    return total
