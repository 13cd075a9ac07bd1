"""Pictures of detections against ground truth, as HS-FPN's Figures 16 and 17 show them.

Hits are green, false alarms amber, missed objects red, as in the report, with their classes and
scores as far as there is room; a detected mask has its outline. Pictures are enlarged, so that an
object of four pixels is seen, and a bar below says how much.
"""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from d2freq.analysis.detections.hits import Found, Objects, match
from d2freq.analysis.model_and_data import choose
from d2freq.errors import UserError
from d2freq.evaluation.coco.detections_file import read_detections
from d2freq.evaluation.coco.guard import Detections
from d2freq.evaluation.coco.masks import decode
from d2freq.utils.choices import did_you_mean
from d2freq.utils.drawing import ALARM, HIT, INK, MISSED, Labels, add_scale, write_line
from d2freq.utils.pixels import read_preview, write_rgb

logger = logging.getLogger(__name__)

SIDE = 1024  # pixels that the longer side is enlarged to, at most MAX_ZOOM times
MAX_ZOOM = 4
LEGEND = 34  # height of the strip below the picture


def visualize_detections(
    dataset: str,
    predictions: str | os.PathLike,
    output: str | os.PathLike,
    *,
    count: int = 12,
    score_threshold: float = 0.3,
    iou_threshold: float = 0.5,
) -> list[Path]:
    """Draw pictures of a registered data set with hits, false alarms and misses.

    Args:
        dataset: its name; d2freq.data.register_coco gives one to any COCO file.
        predictions: detections in COCO's result format, coco_instances_results.json.
        output: folder for the PNG files; it is created.
        count: pictures, taken at even steps through the data set; 0 is all.
        score_threshold: detections below it are not drawn and hit nothing.

    Returns:
        the files written.

    Raises:
        UserError: the predictions are missing or belong to another data set.
        DatasetError: a picture is missing or broken.
    """
    from detectron2.data import DatasetCatalog, MetadataCatalog

    if dataset not in DatasetCatalog.list():
        near = did_you_mean(dataset, DatasetCatalog.list(), n=3) or "; tiny_scenes_val is"
        raise UserError(
            f"data set {dataset!r} is not registered{near}. Give a --config-file that names it in "
            "D2FREQ.DATASETS, or a COCO file and its pictures by --truth and --images"
        )
    records = DatasetCatalog.get(dataset)
    to_class = MetadataCatalog.get(dataset).get("thing_dataset_id_to_contiguous_id")
    names = MetadataCatalog.get(dataset).get("thing_classes", ())
    found = _read_predictions(predictions, [record["image_id"] for record in records], dataset)
    found = found.select(found.score >= score_threshold)
    records = choose(records, max(count, 0))
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for record in records:
        image = read_preview(record["file_name"])
        own = found.select(found.image_id == record["image_id"])
        classes = [_class_of(kind, to_class, predictions) for kind in own.category_id.tolist()]
        masks = None if own.masks is None else decode(own.masks)
        detected = Found(own.xywh, np.array(classes, int), own.score, masks)
        picture = draw_matches(
            image, detected, _truth(record), names=names, iou_threshold=iou_threshold
        )
        path = folder / f"{Path(record['file_name']).stem}.png"
        if path in paths:  # the same name in two folders of the data set
            path = path.with_name(f"{path.stem}_{record['image_id']}.png")
        write_rgb(path, picture)
        paths.append(path)
    return paths


def draw_matches(
    image: np.ndarray,
    found: Found,
    truth: Objects,
    *,
    names: Sequence[str] = (),
    iou_threshold: float = 0.5,
) -> np.ndarray:
    """The enlarged picture with coloured, labelled boxes, a legend that counts them, and a scale.

    Args:
        image: (H, W, 3) uint8, RGB.
        names: of the classes; without them a label has the score alone.

    Returns:
        (h, w, 3) uint8, RGB.
    """
    import cv2

    matches = match(found, truth, iou_threshold=iou_threshold)
    zoom = min(max(SIDE / max(image.shape[:2]), 1.0), MAX_ZOOM)
    picture = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    alarm = ~matches.hit & ~matches.excused
    missed = ~matches.found & ~truth.crowd
    groups = [
        (found.xywh[matches.hit], HIT, "hit"),
        (found.xywh[alarm], ALARM, "false alarm"),
        (truth.xywh[missed], MISSED, "missed"),
    ]
    texts = _texts(found, names)
    words = [
        [texts[number] for number in np.flatnonzero(matches.hit)],
        [texts[number] for number in np.flatnonzero(alarm)],
        [_name(names, kind) for kind in truth.classes[missed].tolist()],
    ]
    if found.masks is not None:
        for number in np.flatnonzero(~matches.excused):
            _outline(picture, found.masks[number], HIT if matches.hit[number] else ALARM)
    drawn = []
    for group, colour, _ in groups:
        corners = np.hstack([group[:, :2], group[:, :2] + group[:, 2:]])
        # one pixel outside the object, so that the line does not cover it
        drawn.append(np.round(corners * zoom).astype(int) + np.array([-2, -2, 1, 1]))
        for x0, y0, x1, y1 in drawn[-1].tolist():
            cv2.rectangle(picture, (x0, y0), (x1, y1), colour, 2)
    labels = Labels(picture, np.vstack(drawn))
    for boxes, (_, colour, _), own in zip(drawn, groups, words, strict=True):
        for box, text in zip(boxes, own, strict=True):
            if text:
                labels.write(text, box, colour)
    strip = np.full((LEGEND, picture.shape[1], 3), 255, np.uint8)
    left = 8
    for group, colour, name in groups:
        cv2.rectangle(strip, (left, 9), (left + 16, 25), colour, -1)
        left = write_line(strip, f"{name} {len(group)}", left + 22, 23, INK, 0.5) + 22
    add_scale(strip, zoom, middle=LEGEND // 2)
    return np.vstack([picture, strip])


def _texts(found: Found, names: Sequence[str]) -> list[str]:
    """Of each detection, ``ship 0.93``."""
    return [
        f"{_name(names, kind)} {score:.2f}".strip()
        for kind, score in zip(found.classes.tolist(), found.scores.tolist(), strict=True)
    ]


def _name(names: Sequence[str], kind: int) -> str:
    return names[kind] if 0 <= kind < len(names) else ""


def _outline(picture: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Draw the border of a mask (H, W) into an enlarged picture, in place."""
    import cv2

    size = (picture.shape[1], picture.shape[0])
    large = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    rings, _ = cv2.findContours(large, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, rings, -1, colour, 1)


def _read_predictions(path, image_ids: list[int], dataset: str) -> Detections:
    found = read_detections(path, masks=True)
    strange = np.flatnonzero(~np.isin(found.image_id, image_ids))
    if len(strange):
        raise UserError(
            f"{path}: entry {strange[0]} has image_id {found.image_id[strange[0]]}, which "
            f"{dataset} lacks; these detections were made on another data set"
        )
    return found


def _class_of(category: int, to_class: dict[int, int] | None, path) -> int:
    if to_class is None:
        return category
    if category not in to_class:
        raise UserError(f"{path}: category_id {category} is unknown; known: {sorted(to_class)}")
    return to_class[category]


def _truth(record: dict) -> Objects:
    from detectron2.structures import BoxMode

    annotations = record.get("annotations", [])
    modes = [(a["bbox"], a["bbox_mode"]) for a in annotations]
    boxes = [BoxMode.convert(list(box), mode, BoxMode.XYWH_ABS) for box, mode in modes]
    return Objects(
        xywh=np.array(boxes, float).reshape(-1, 4),
        classes=np.array([a["category_id"] for a in annotations], int),
        crowd=np.array([bool(a.get("iscrowd", 0)) for a in annotations], bool),
    )
