"""VisDrone2019-DET: a folder with images/ and annotations/, a line an object.

A line is ``left,top,width,height,score,category,truncation,occlusion`` in whole pixels. Of the
categories 1 to 10, score 1 is an object and score 0 one to ignore. Category 0 marks regions where
nothing is judged, which become ``ignore_regions`` of their image; 11, "others", are objects of no
class, which become its ``other_objects``: the toolkit does not excuse detections on them.
"""

import os
import re
from collections import Counter
from pathlib import Path

from d2freq.data.builtin import VISDRONE
from d2freq.data.coco.faults_of_records import REGION_KEYS
from d2freq.data.convert.images_to_coco import EMPTY, NO_LABELS, convert_images, image_result
from d2freq.data.convert.label_files import Pair, pair_files, read_lines, read_number
from d2freq.errors import UserError

REGION, OTHERS = 0, 11
FIELDS = 8


def convert_visdrone(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the COCO file of a split; ``file_name`` counts from the folder ``images``.

    A split whose labels are not published has no folder ``annotations``: its images alone are
    written.

    Args:
        source: the unpacked VisDrone2019-DET-train, -val, -test-dev or -test-challenge.

    Raises:
        UserError: ``source`` is another folder.
        FailedItems: an image without label file, a label file without image, an unreadable image,
            or a line of another form; all such files are listed.
    """
    images, labels = Path(source) / "images", Path(source) / "annotations"
    if not images.is_dir():
        raise UserError(
            f"{images}: no such folder; SOURCE is an unpacked VisDrone2019-DET-train, -val or "
            "-test-dev, which holds images/ and annotations/"
        )
    labelled = labels.is_dir()
    pairs = pair_files(images, labels if labelled else None, ".txt")
    return convert_images(
        output,
        _convert_labelled if labelled else _convert_bare,
        [pair.item() for pair in pairs],
        key={"format": "visdrone", "source": os.path.abspath(source), "labelled": labelled},
        names=VISDRONE,
        description=f"VisDrone2019-DET, {Path(source).resolve().name}",
        workers=workers,
        progress=progress,
    )


def _convert_bare(pair: Pair) -> dict:
    return image_result(pair.image_record(), [], Counter({NO_LABELS: 1}))


def _convert_labelled(pair: Pair) -> dict:
    image = pair.image_record()
    if not pair.label:
        raise UserError(
            f"{os.path.join(pair.root, pair.image)}: no label file in annotations/; every image of "
            "a labelled split has one"
        )
    boxes: list[dict] = []
    regions: dict[int, list] = {REGION: [], OTHERS: []}
    notes: Counter[str] = Counter()
    for place, text in read_lines(pair.label):
        *bbox, score, category, truncation, occlusion = _fields(place, text)
        if category in regions:
            regions[category].append(bbox)
        else:
            flags = {"truncation": truncation, "occlusion": occlusion}
            crowd = {"iscrowd": int(score == 0)}
            boxes.append({"category": VISDRONE[category - 1], "bbox": bbox, **crowd, **flags})
    for key, found in zip(REGION_KEYS, regions.values(), strict=True):
        solid = [region for region in found if region[2] > 0 and region[3] > 0]
        notes[EMPTY] += len(found) - len(solid)
        if solid:
            image[key] = solid
    return image_result(image, boxes, notes)


def _fields(place: str, text: str) -> list:
    # some files end their lines with a comma, some put spaces between
    words = re.split(r"\s*,\s*|\s+", text.strip(", \t"))
    if len(words) != FIELDS:
        raise UserError(
            f"{place}: {len(words)} fields, expected left,top,width,height,score,category,"
            f"truncation,occlusion: {text!r}"
        )
    values = [read_number(word, place) for word in words]
    score, category = values[4:6]
    if category not in range(OTHERS + 1):
        raise UserError(f"{place}: category {category}, expected 0 to {OTHERS}")
    if score not in (0, 1):
        raise UserError(f"{place}: score {score}, expected 0 or 1; are these detections?")
    return values
