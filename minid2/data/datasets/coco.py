"""COCO's JSON format: reading, registration, and writing (see ``coco_export``).

An error names the file, the record and the cure: a wrong annotation that slips through here is
only seen as a bad average precision.
"""

import json
import logging
import math
import os
from collections import Counter, defaultdict
from typing import Any

from ...structures import BoxMode
from ...utils.file_io import PathManager
from ..catalog import DatasetCatalog, MetadataCatalog
from .coco_export import convert_to_coco_dict, convert_to_coco_json

__all__ = [
    "convert_to_coco_dict",
    "convert_to_coco_json",
    "load_coco_json",
    "register_coco_instances",
]

logger = logging.getLogger(__name__)


def register_coco_instances(
    name: str, metadata: dict, json_file: str, image_root: str | os.PathLike
) -> None:
    """Register a data set in COCO's format. Nothing is read before it is asked for.

    Args:
        name: a new name.
        metadata: more attributes for its metadata; may be empty.
        json_file: the annotation file.
        image_root: the folder that its file names are relative to.
    """
    assert isinstance(name, str), f"the name of a data set is a string, got {name!r}"
    assert isinstance(json_file, (str, os.PathLike)), f"json_file is a path, got {json_file!r}"
    assert isinstance(image_root, (str, os.PathLike)), f"image_root is a path, got {image_root!r}"
    DatasetCatalog.register(name, lambda: load_coco_json(json_file, image_root, name))
    MetadataCatalog.get(name).set(
        json_file=json_file, image_root=image_root, evaluator_type="coco", **metadata
    )


def load_coco_json(
    json_file: str,
    image_root: str | os.PathLike,
    dataset_name: str | None = None,
    extra_annotation_keys: list[str] | None = None,
) -> list[dict]:
    """Read an annotation file into standard records, sorted by image id.

    Args:
        json_file: the annotation file.
        image_root: the folder of the images.
        dataset_name: whose metadata receive ``thing_classes`` and
            ``thing_dataset_id_to_contiguous_id``; class ids are then numbered from 0 in the order
            of the file's category ids. None keeps the file's ids.
        extra_annotation_keys: keys of annotations to take over as they are.

    Returns:
        Records with file_name, height, width, image_id and annotations, each of which has bbox (x,
        y, width, height), bbox_mode, category_id, and iscrowd and segmentation where given.
        Keypoints are left out. Images are not looked at.

    Raises:
        FileNotFoundError: there is no such annotation file.
        ValueError: the file is cut off, is not in COCO's format, uses an id twice, has an
            annotation with an ``ignore`` flag or without a proper bbox.
        KeyError: an annotation has a category id that the file does not list.
    """
    content = _read_json(json_file)
    ids = None
    if dataset_name is not None:
        ids = _contiguous_ids(content, json_file, dataset_name)
    images = _by_id(content, "images", json_file)
    grouped = defaultdict(list)
    for ann in _by_id(content, "annotations", json_file).values():
        grouped[ann.get("image_id")].append(ann)

    keys = ["iscrowd", "bbox", "category_id", *(extra_annotation_keys or [])]
    reader = _AnnotationReader(json_file, keys, ids)
    records = []
    for image_id in sorted(images):
        image = images[image_id]
        try:
            path = os.path.join(image_root, image["file_name"])
            record = {"file_name": path, "height": image["height"], "width": image["width"]}
        except KeyError as error:
            raise ValueError(f"{json_file}: image {image_id} has no {error}; add it") from error
        record["image_id"] = image_id
        found = (reader.read(ann) for ann in grouped.pop(image_id, []))
        record["annotations"] = [obj for obj in found if obj is not None]
        records.append(record)

    logger.info("Loaded %d images in COCO format from %s", len(records), json_file)
    if grouped:
        stray = sum(map(len, grouped.values()))
        some = list(grouped)[:5]
        message = "%s: %d annotations are left out, as no image has their image_id (%s ...)"
        logger.warning(message, json_file, stray, some)
    if reader.without_shape:
        message = "%s: %d annotations are left out, as no polygon in their segmentation is valid"
        logger.warning(message, json_file, reader.without_shape)
    return records


def _read_json(json_file: str) -> dict:
    """The file's content, with its sections checked for their types."""
    path = PathManager.get_local_path(os.fspath(json_file))
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"annotation file '{json_file}' does not exist. Check the path that the data set was "
            "registered with, and DETECTRON2_DATASETS if it lies under that folder"
        )
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        size = os.path.getsize(path)
        raise ValueError(
            f"annotation file '{json_file}' ({size} bytes) is cut off or no JSON: {error}. Copy or "
            "download it again, and compare its size"
        ) from error
    needed = {"images": list}
    known = {**needed, "annotations": list, "categories": list}
    for key, kind in known.items():
        if key in needed and (not isinstance(content, dict) or key not in content):
            raise ValueError(
                f"'{json_file}' is not in COCO's format: it has no list '{key}'. Detection results "
                "and other annotation formats have to be converted first"
            )
        if not isinstance(content.get(key, []), kind):
            raise ValueError(f"'{json_file}' is not in COCO's format: '{key}' is no list")
    return content


def _by_id(content: dict, section: str, json_file: str) -> dict[Any, dict]:
    """The records of a section by their ids, in the order of the file."""
    records = content.get(section, [])
    for position, record in enumerate(records):
        if not isinstance(record, dict) or "id" not in record:
            raise ValueError(
                f"{json_file}: {section}[{position}] has no 'id'; give each of {section} its own"
            )
    by_id = {record["id"]: record for record in records}
    if len(by_id) < len(records):
        twice = [key for key, n in Counter(r["id"] for r in records).items() if n > 1]
        raise ValueError(
            f"{json_file}: ids of {section} are not unique, {len(twice)} appear more than once "
            f"({twice[:5]} ...); number them anew"
        )
    return by_id


def _contiguous_ids(content: dict, json_file: str, dataset_name: str) -> dict[int, int]:
    """Number the categories from 0 and write them into the metadata."""
    categories = _by_id(content, "categories", json_file)
    if not categories:
        raise ValueError(f"{json_file} lists no 'categories'; add one for each class")
    order = sorted(categories)
    if order != list(range(1, len(order) + 1)) and "coco" not in dataset_name:
        message = "%s: category ids are not 1 to %d; they are numbered anew in their order"
        logger.warning(message, json_file, len(order))
    mapping = {category: index for index, category in enumerate(order)}
    MetadataCatalog.get(dataset_name).set(
        thing_classes=[categories[category]["name"] for category in order],
        thing_dataset_id_to_contiguous_id=mapping,
    )
    return mapping


class _AnnotationReader:
    """Turns annotations of one file into those of standard records."""

    def __init__(self, json_file: str, keys: list[str], ids: dict[int, int] | None):
        self.json_file = json_file
        self.keys = keys
        self.ids = ids
        self.without_shape = 0  # how many were left out for their segmentation

    def read(self, ann: dict) -> dict | None:
        """The annotation in standard form; None for one whose polygons are all invalid."""
        where = f"{self.json_file}: annotation {ann['id']} of image {ann.get('image_id')}"
        if ann.get("ignore", 0):
            raise ValueError(
                f'{where} has an "ignore" flag, which is not supported: give it "iscrowd": 1, '
                "which keeps it out of training and of the count of false detections, or remove it"
            )
        if not _is_box(ann.get("bbox")):
            raise ValueError(
                f"{where} has bbox {ann.get('bbox')!r}; COCO's is 4 finite numbers, x, y, width, "
                "height: correct or remove it"
            )
        obj = {key: ann[key] for key in self.keys if key in ann}
        if ann.get("segmentation"):
            shape = _usable_shape(ann["segmentation"])
            if not shape:
                self.without_shape += 1
                return None
            obj["segmentation"] = shape
        obj["bbox_mode"] = BoxMode.XYWH_ABS
        if self.ids is not None:
            if ann.get("category_id") not in self.ids:
                raise KeyError(
                    f"{where} has category_id={ann.get('category_id')}, but this id does not exist "
                    f"in 'categories' of the json file, which lists {sorted(self.ids)[:20]}"
                )
            obj["category_id"] = self.ids[ann["category_id"]]
        return obj


def _is_box(bbox: Any) -> bool:
    return (
        isinstance(bbox, list)
        and len(bbox) == 4
        and all(isinstance(v, (int, float)) and math.isfinite(v) for v in bbox)
    )


def _usable_shape(segmentation: Any) -> Any:
    """Polygons with at least three points, or a compressed run-length mask."""
    if not isinstance(segmentation, dict):
        return [poly for poly in segmentation if len(poly) % 2 == 0 and len(poly) >= 6]
    if isinstance(segmentation["counts"], list):
        from pycocotools import mask

        return mask.frPyObjects(segmentation, *segmentation["size"])
    return segmentation
