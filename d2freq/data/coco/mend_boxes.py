"""What is done to a faulty box, area, flag or segmentation; see ``mend_records``."""

import numpy as np

from d2freq.data.coco.bench import Bench, Drop
from d2freq.data.coco.faults_of_records import is_number
from d2freq.data.coco.outlines import number, plain_outline
from d2freq.data.coco.plain_boxes import box_around, plain_box
from d2freq.data.coco.readings import READINGS

__all__ = [
    "clear_outline",
    "compute_area",
    "cut",
    "make_crowd",
    "read_numbers",
    "read_otherwise",
    "take_outline",
    "uncrowd",
    "unflag",
    "write_area",
    "write_plainly",
]


def read_numbers(bench: Bench, section: str, annotation: dict) -> str | None:
    """A box of one reading is written in COCO's notation; one without goes, or its outline tells.

    The text of NaN is read as NaN, which is a fault of its own.
    """
    before = annotation["bbox"]
    plain = plain_box(before)
    if plain is None:
        return take_outline(bench, section, annotation)
    annotation["bbox"] = plain
    return f"has bbox {plain}, was {before!r}"[:150]


def take_outline(bench: Bench, section: str, annotation: dict) -> str | None:
    """A box that is missing or has no extent is the one around the segmentation; else it goes."""
    before = repr(annotation["bbox"])[:60] if "bbox" in annotation else "missing"
    around = box_around(annotation.get("segmentation"))
    if around is None:
        return Drop(f"has bbox {before}")
    annotation["bbox"] = around
    return f"has bbox {around}, the box around its segmentation, was {before}"


def cut(bench: Bench, section: str, annotation: dict) -> str | None:
    """Cut a box at the border of its image."""
    image = bench.firsts["images", annotation["image_id"]]
    x, y, width, height = box = annotation["bbox"]
    x, width = _clip(x, width, image["width"])
    y, height = _clip(y, height, image["height"])
    annotation["bbox"] = [x, y, width, height]
    area = width * height
    if is_number(annotation.get("area")):
        annotation["area"] = min(annotation["area"], area)
    return f"has bbox {annotation['bbox']}, was {box}"


def _clip(start: float, length: float, border: float) -> tuple[float, float]:
    if start >= 0 and start + length <= border:  # not a digit changes
        return start, length
    first, last = max(start, 0), min(start + length, border)
    return first, last - first


def compute_area(bench: Bench, section: str, annotation: dict) -> str | None:
    """Write width times height."""
    area = annotation["bbox"][2] * annotation["bbox"][3]
    if annotation.get("area") == area:  # a cut at the border has corrected it
        return None
    before = f", was {annotation['area']}" if "area" in annotation else ""
    annotation["area"] = area
    return f"has area {annotation['area']:g}{before}"


def write_area(bench: Bench, section: str, annotation: dict) -> str | None:
    """Write the number that a text means."""
    before = annotation["area"]
    annotation["area"] = number(before)
    return f"has area {annotation['area']}, was {before!r}"


def make_crowd(bench: Bench, section: str, annotation: dict) -> str | None:
    """Write one flag in place of the other."""
    annotation["iscrowd"], annotation["ignore"] = 1, 0
    return "has iscrowd 1 in place of ignore 1"


def clear_outline(bench: Bench, section: str, annotation: dict) -> str | None:
    """Take a segmentation away that nobody can read."""
    before = annotation["segmentation"]
    annotation["segmentation"] = []
    return f"has segmentation [], was {before!r}"[:100]


def unflag(bench: Bench, section: str, annotation: dict) -> str | None:
    """Write the flag that is missing."""
    annotation["iscrowd"] = 0
    return "has iscrowd 0"


def uncrowd(bench: Bench, section: str, annotation: dict) -> str | None:
    """Make an object of a crowd, where that is asked for."""
    if not bench.uncrowd:
        return None
    annotation["iscrowd"] = 0
    return "has iscrowd 0, was 1"


def write_plainly(bench: Bench, section: str, annotation: dict) -> str | None:
    """Write a segmentation of one reading in COCO's notation; others are taken away."""
    before = annotation["segmentation"]
    plain = plain_outline(before)
    if plain is None:
        return clear_outline(bench, section, annotation)
    annotation["segmentation"] = plain
    return f"has segmentation {plain!r}"[:80] + f", was {before!r}"[:80]


def read_otherwise(bench: Bench, section: str, annotation: dict) -> str | None:
    """Write a box as x, y, width, height that was written as ``bench.boxes_as`` says."""
    if bench.boxes_as not in READINGS:
        return None
    before, image = annotation["bbox"], bench.firsts["images", annotation["image_id"]]
    box, size = np.array([before], np.float64), np.array([[image["width"], image["height"]]], float)
    values = READINGS[bench.boxes_as](box, size)[0].tolist()
    annotation["bbox"] = [int(value) if value.is_integer() else value for value in values]
    if annotation.get("area") == before[2] * before[3]:  # counted from the same misreading
        annotation["area"] = annotation["bbox"][2] * annotation["bbox"][3]
    return f"has bbox {annotation['bbox']}, was {before}"
