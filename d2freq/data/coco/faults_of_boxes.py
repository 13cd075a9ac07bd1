"""Faults of boxes against their images, and the boxes as arrays.

N annotations; positions are those in the file's list of annotations.
"""

from dataclasses import dataclass

import numpy as np

from d2freq.data.coco.areas import as_taken, note_areas
from d2freq.data.coco.faults_of_records import is_length, record_name
from d2freq.data.coco.outlines import outline_ill
from d2freq.data.coco.readings import suspect
from d2freq.data.coco.report import Fault, Report

# Pixels that a box may lie over the border without a word: more is no rounding.
ROUNDING = 0.01
# Ground truth in whole pixels often counts its last row and column twice.
CUSTOMARY = 1.0
IGNORE_FLAG = "ignore flag"
CROWDS_ALONE = "crowds alone"
OTHERWISE = "boxes that fit otherwise"  # by another convention than x, y, width, height
MALFORMED = "malformed segmentation"
HOLLOW = "segmentation without a polygon"


@dataclass(frozen=True)
class Boxes:
    """The annotations as arrays; ``keep`` is False where a repair leaves the record out."""

    xywh: np.ndarray  # (N, 4) float64
    area: np.ndarray  # (N,) float64, w * h where the file gives none, or one far from it
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
    known = finite & np.isfinite(width) & np.isfinite(height)
    reading, why = suspect(xywh[known], np.stack([width, height], axis=1)[known])
    if reading:
        cure = (
            f"{why[0].upper()}{why[1:]}. They are taken as they are written: --fix OUT.json "
            f"--boxes {reading} writes the other reading, --boxes xywh keeps this one."
        )
        note(report.repairs, OTHERWISE, cure, known)

    area, odd = as_taken(sound, xywh, solid)
    note_areas(report, annotations, where, odd)
    ignore = np.array([bool(a.get("ignore", 0)) for a in sound], bool)
    if allow_ignore:
        cure = "Counted as a crowd region: detections on it are neither right nor wrong."
        note(report.repairs, IGNORE_FLAG, cure, ignore, bare)
    else:
        cure = "Detectron2 refuses it: write iscrowd: 1 in place of ignore: 1."
        note(report.errors, IGNORE_FLAG, cure, ignore, bare)
    _find_outline_faults(report, annotations, positions, width, height)
    unflagged = np.array(["iscrowd" not in a for a in sound], bool)
    note(report.notes, "no iscrowd", "Read as 0; pycocotools stops at it.", unflagged, bare)
    crowd = np.array([bool(a.get("iscrowd")) for a in sound], bool)
    report.objects = int((inside & ~crowd & ~ignore).sum())
    if inside.any() and not report.objects:
        cure = (
            "Crowds are neither trained on nor counted, so nothing is. Exports of masks flag each "
            "object so: --fix OUT.json --uncrowd makes objects of them."
        )
        note(report.repairs, CROWDS_ALONE, cure, inside & crowd, bare)
    return Boxes(xywh, area, ignore, inside)


def _find_outline_faults(
    report: Report,
    annotations: list,
    positions: list[int],
    width: np.ndarray,
    height: np.ndarray,
) -> None:
    ills: dict[int, tuple[str, str]] = {}
    for row, position in enumerate(positions):
        outline = annotations[position].get("segmentation")
        if not outline:
            continue
        known = isinstance(outline, dict) and width[row] < np.inf
        kind, text = outline_ill(outline, (height[row], width[row]) if known else None)
        if kind:
            ills[position] = kind, text

    def described(position: int) -> str:
        name, text = record_name("annotations", annotations, position), ills[position][1]
        return f"{name} has {text}" if text else name

    cures = {
        "malformed": (
            report.errors,
            MALFORMED,
            "A segmentation is a list of polygons, each a list [x0, y0, x1, y1, ...], or run "
            "lengths with size and counts. --fix writes what has one reading so, and else [].",
        ),
        "hollow": (
            report.repairs,
            HOLLOW,
            "Detectron2 leaves the object out of training: write [] in its place.",
        ),
        "partly hollow": (
            report.notes,
            "polygon of fewer than three points",
            "Detectron2 leaves this part of the object's mask out.",
        ),
    }
    for of, (faults, name, cure) in cures.items():
        hits = [position for position, ill in ills.items() if ill[0] == of]
        report.records(faults, name, cure, "annotations", hits, described)


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
