"""Faults of boxes against their images, and the boxes as arrays.

N annotations; positions are those in the file's list of annotations.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from d2freq.data.coco.faults_of_records import is_length, is_number, record_name
from d2freq.data.coco.report import Fault, Report

# Pixels that a box may lie over the border without a word: more is no rounding.
ROUNDING = 0.01
# Ground truth in whole pixels often counts its last row and column twice.
CUSTOMARY = 1.0
IGNORE_FLAG = "ignore flag"
# Areas of masks are smaller than their boxes, and rounded boxes differ a little.
AREA_SLACK = 1.01


@dataclass(frozen=True)
class Boxes:
    """The annotations as arrays; ``keep`` is False where a repair leaves the record out."""

    xywh: np.ndarray  # (N, 4) float64
    area: np.ndarray  # (N,) float64, w * h where the file gives none
    ignore: np.ndarray  # (N,) bool, "ignore" flags
    keep: np.ndarray  # (N,) bool


def find_box_faults(
    report: Report, annotations: list, positions: list[int], images: list, *, allow_ignore: bool
) -> Boxes:
    """Note what is wrong with the boxes of the annotations at ``positions``.

    Args:
        positions: the sound annotations; the returned arrays have one row for each.
        images: records; those of unknown size have no border.
        allow_ignore: ``ignore: 1`` is a repair, not an error.
    """
    sound = [annotations[position] for position in positions]
    where = np.array(positions, np.int64)
    xywh = np.array([a["bbox"] for a in sound], np.float64).reshape(-1, 4)

    def bare(position: int) -> str:
        return record_name("annotations", annotations, position)

    def boxed(position: int) -> str:
        return f"{bare(position)} has bbox {annotations[position]['bbox']}"

    def note(faults: list[Fault], kind: str, cure: str, mask: np.ndarray, describe=boxed) -> None:
        report.records(faults, kind, cure, "annotations", where[mask], describe)

    finite = np.asarray(np.isfinite(xywh).all(axis=1))
    note(report.errors, "NaN or infinite box", "Correct or remove it.", ~finite)
    x, y, w, h = (xywh[:, k] for k in range(4))
    negative: np.ndarray = finite & ((w < 0) | (h < 0))
    empty: np.ndarray = finite & ~negative & ((w == 0) | (h == 0))
    note(report.repairs, "negative width or height", "Left out.", negative)
    note(report.repairs, "empty box", "Left out: nothing overlaps it.", empty)
    solid = finite & ~negative & ~empty
    width, height = _borders(sound, images)
    with np.errstate(invalid="ignore"):
        away = solid & ((x >= width) | (y >= height) | (x + w <= 0) | (y + h <= 0))
        over = np.maximum.reduce([-x, -y, x + w - width, y + h - height])
    note(report.repairs, "box outside its image", "Left out.", away)
    inside = solid & ~away
    cure = "Cut at the border in training; measured as it is."
    note(report.repairs, "box over the border", cure, inside & (over > CUSTOMARY))
    slight = inside & (over > ROUNDING) & (over <= CUSTOMARY)
    note(report.notes, "box up to a pixel over the border", cure, slight)

    given = [a.get("area") for a in sound]
    area = np.array([value if is_number(value) else np.nan for value in given], np.float64)
    unmeasured = solid & ~((area > 0) & (area < np.inf))
    note(report.repairs, "no area", "Taken as width x height.", unmeasured, bare)
    area = np.where(unmeasured, w * h, area)
    cure = "A mask is no larger than its box; size classes go by the area as it is written."
    note(
        report.repairs,
        "area larger than the box",
        cure,
        solid & (area > w * h * AREA_SLACK),
        lambda position: f"{boxed(position)} and area {annotations[position]['area']}",
    )
    ignore = np.array([bool(a.get("ignore", 0)) for a in sound], bool)
    if allow_ignore:
        cure = "Counted as a crowd region: detections on it are neither right nor wrong."
        note(report.repairs, IGNORE_FLAG, cure, ignore, bare)
    else:
        cure = "Detectron2 refuses it: write iscrowd: 1 in place of ignore: 1."
        note(report.errors, IGNORE_FLAG, cure, ignore, bare)
    outlines = [_outline_fault(a.get("segmentation")) for a in sound]
    cure = "A segmentation is a list of polygons, each a list [x0, y0, x1, y1, ...]."
    malformed = np.array([fault == "malformed" for fault in outlines], bool)
    note(report.errors, "malformed segmentation", cure, malformed, bare)
    cure = "Detectron2 leaves the object out of training: write [] in its place."
    hollow = np.array([fault == "hollow" for fault in outlines], bool)
    note(report.repairs, "segmentation without a polygon", cure, hollow, bare)
    unflagged = np.array(["iscrowd" not in a for a in sound], bool)
    note(report.notes, "no iscrowd", "Read as 0; pycocotools stops at it.", unflagged, bare)
    return Boxes(xywh, area, ignore, inside)


def _outline_fault(segmentation: Any) -> str:
    if not segmentation or isinstance(segmentation, dict):  # none, or a mask in run lengths
        return ""
    if not isinstance(segmentation, list) or not all(isinstance(p, list) for p in segmentation):
        return "malformed"
    return "" if any(len(p) >= 6 and len(p) % 2 == 0 for p in segmentation) else "hollow"


def _borders(annotations: list[dict], images: list) -> tuple[np.ndarray, np.ndarray]:
    """Width and height of each annotation's image, infinite where they are unknown."""
    sizes = {
        image["id"]: (image["width"], image["height"])
        for image in images
        if isinstance(image, dict)
        and type(image.get("id")) is int
        and is_length(image.get("width"))
        and is_length(image.get("height"))
    }
    unknown = (np.inf, np.inf)
    found = [sizes.get(a["image_id"], unknown) for a in annotations]
    borders = np.array(found, np.float64).reshape(-1, 2)
    return borders[:, 0], borders[:, 1]
