"""What a COCO file says beside its pictures: sizes of objects, ids of classes, boxes to judge."""

import logging
import os
from collections.abc import Sequence

import numpy as np

from d2freq.data.coco.read import read_coco
from d2freq.errors import DatasetError
from d2freq.evaluation.coco.guard import GroundTruth
from d2freq.evaluation.coco.measure import check_truth
from d2freq.evaluation.protocols import get_protocol
from d2freq.inference.sources.find import COCO_FILES

__all__ = ["are_detections", "category_ids", "coco_of", "ground_truth", "object_sizes"]

logger = logging.getLogger(__name__)


def coco_of(words: Sequence[str]) -> dict | None:
    """The COCO file that is the one source; None where there is another, or several.

    Raises:
        DatasetError: its categories or annotations are no records.
    """
    if len(words) != 1 or not words[0].lower().endswith(COCO_FILES) or not os.path.isfile(words[0]):
        return None
    content = read_coco(words[0])
    for key in ("categories", "annotations"):
        rows = content.get(key, [])
        for place, row in enumerate(rows if isinstance(rows, list) else [rows]):
            named = key != "categories" or (
                isinstance(row, dict) and "name" in row and type(row.get("id")) is int
            )
            if not isinstance(rows, list) or not isinstance(row, dict) or not named:
                raise DatasetError(
                    f"{words[0]}: {key}[{place}] is {str(row)[:60]}, no record of COCO's format; "
                    f"correct it (d2freq validate), or leave {key} out"
                )
    return content


def are_detections(content: dict) -> bool:
    """Whether a COCO file's boxes are what a detector found: they have scores.

    So does detections_coco.json of d2freq detect, and what labelling tools call predictions.
    """
    annotations = content.get("annotations") or []
    return any(isinstance(each, dict) and "score" in each for each in annotations)


def object_sizes(content: dict | None) -> tuple[float, float] | None:
    """Long sides of a COCO file's boxes: the median, and what 99 of 100 do not exceed."""
    if content is None or are_detections(content):
        return None
    boxes = [a.get("bbox") for a in content.get("annotations", [])]
    sides = [max(box[2:]) for box in boxes if box and len(box) == 4 and min(box[2:]) > 0]
    if not sides:
        return None
    middle, most = np.quantile(sides, [0.5, 0.99]).round(2).tolist()
    return middle, most


def category_ids(names: Sequence[str], content: dict | None) -> tuple[int, ...]:
    """A COCO file's ids of the classes, where it has all of them by name; else ()."""
    known = {str(c["name"]): int(c["id"]) for c in (content or {}).get("categories", [])}
    return tuple(known[name] for name in names) if all(n in known for n in names) else ()


def ground_truth(
    content: dict | None, name: str, names: Sequence[str], wanted: Sequence[int] | None = None
) -> GroundTruth | None:
    """The COCO file's boxes of the classes that are searched for, to be judged against.

    Args:
        content: of the file; None where there is none.
        name: of the file, for messages.
        names: of the model's classes.
        wanted: numbers of those that are searched for, None for all: what nobody searches for is
            no miss.

    Returns:
        None where the file has no such boxes; or, which is said, where they are detections, or
        where it has not all classes by name.

    Raises:
        DatasetError: the file is faulty.
    """
    if content is None or not content.get("annotations"):
        return None
    if are_detections(content):
        logger.warning(
            "%s: its boxes have scores, so they are detections, no truth, and judge nothing",
            name,
        )
        return None
    ids = category_ids(names, content)
    if not ids:
        logger.warning(
            "%s: has not all classes of the model by name, so its boxes judge no detection", name
        )
        return None
    kept = {ids[number] for number in (range(len(ids)) if wanted is None else wanted)}
    others = {int(c["id"]) for c in content["categories"]} - kept
    own = {
        "categories": [c for c in content["categories"] if int(c["id"]) in ids],
        "annotations": [a for a in content["annotations"] if a.get("category_id") not in others],
    }
    if not own["annotations"]:
        return None
    return check_truth(content | own, get_protocol("aitod"), name)
