"""COCO's JSON format: reading, registration and writing.

An error names the file, the record and the cure: a wrong annotation that slips through here is
only seen as a bad average precision.
"""

import datetime
import json
import os
from collections import defaultdict
from typing import Any

import numpy as np
import torch

from ...host import logger_of
from ...structures import Boxes, BoxMode
from ...structures.masks import polygon_area
from ...utils.file_io import PathManager
from ..catalog import DatasetCatalog, MetadataCatalog

logger = logger_of(__name__)


def register_coco_instances(
    name: str, metadata: dict, json_file: str, image_root: str | os.PathLike
) -> None:
    """Register a data set in COCO's format. Nothing is read before it is asked for.

    Args:
        name, metadata: a new name, and more attributes for its metadata; may be empty.
        json_file, image_root: the annotation file, and the folder of its file names.
    """
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
        json_file, image_root: the annotation file, and the folder of the images.
        dataset_name: whose metadata receive ``thing_classes`` and
            ``thing_dataset_id_to_contiguous_id``; class ids are then numbered from 0 in the order
            of the file's category ids. None keeps the file's ids.
        extra_annotation_keys: keys of annotations to take over as they are.

    Returns:
        Records with file_name, height, width, image_id and annotations, each of which has bbox (x,
        y, width, height), bbox_mode, category_id, and iscrowd and segmentation where given.
        Keypoints are left out. Images are not looked at.

    Raises:
        ValueError: the file is cut off, uses an annotation id twice, has an annotation with an
            ``ignore`` flag or without a bbox of 4 numbers.
        KeyError: the file is not in COCO's format, or an annotation has a category id that the file
            does not list.
    """
    content = _read_json(json_file)
    ids = None if dataset_name is None else _number_classes(content["categories"], dataset_name)
    annotations = content.get("annotations", [])  # a test set has none
    if len({ann["id"] for ann in annotations}) != len(annotations):
        raise ValueError(f"{json_file}: annotation ids are not unique; number them anew")

    keys = ["iscrowd", "bbox", "category_id", *(extra_annotation_keys or [])]
    objects: dict[Any, list[dict]] = defaultdict(list)
    without_shape = 0
    for ann in annotations:
        where = f"{json_file}: annotation {ann['id']} of image {ann['image_id']}"
        converted = _convert(ann, keys, ids, where)
        if converted is None:
            without_shape += 1
        else:
            objects[ann["image_id"]].append(converted)
    images = sorted(content["images"], key=lambda image: image["id"])
    records = [
        {
            "file_name": os.path.join(image_root, image["file_name"]),
            "height": image["height"],
            "width": image["width"],
            "image_id": image["id"],
            "annotations": objects[image["id"]],
        }
        for image in images
    ]
    logger.info("Loaded %d images in COCO format from %s", len(records), json_file)
    if without_shape:
        message = "%s: %d annotations are left out, as no polygon in their segmentation is valid"
        logger.warning(message, json_file, without_shape)
    return records


def _read_json(json_file: str) -> dict:
    path = PathManager.get_local_path(os.fspath(json_file))
    with open(path, encoding="utf-8") as file:
        try:
            return json.load(file)
        except ValueError as error:
            raise ValueError(
                f"annotation file '{json_file}' ({os.path.getsize(path)} bytes) is cut off or no "
                f"JSON: {error}. Copy or download it again, and compare its size"
            ) from error


def _number_classes(categories: list[dict], dataset_name: str) -> dict[int, int]:
    """Number the categories from 0 and write them into the metadata."""
    ordered = sorted(categories, key=lambda category: category["id"])
    mapping = {category["id"]: index for index, category in enumerate(ordered)}
    MetadataCatalog.get(dataset_name).set(
        thing_classes=[category["name"] for category in ordered],
        thing_dataset_id_to_contiguous_id=mapping,
    )
    return mapping


def _convert(ann: dict, keys: list[str], ids: dict[int, int] | None, where: str) -> dict | None:
    """The annotation in standard form; None for one whose polygons are all invalid."""
    if ann.get("ignore", 0):
        raise ValueError(
            f'{where} has an "ignore" flag, which is not supported: give it "iscrowd": 1, '
            "which keeps it out of training and of the count of false detections, or remove it"
        )
    if len(ann.get("bbox") or []) != 4:
        raise ValueError(f"{where} has bbox {ann.get('bbox')}, not 4 numbers: correct or remove it")
    obj = {key: ann[key] for key in keys if key in ann}
    if ann.get("segmentation"):
        obj["segmentation"] = _usable_shape(ann["segmentation"])
        if not obj["segmentation"]:
            return None
    obj["bbox_mode"] = BoxMode.XYWH_ABS
    if ids is not None:
        if ann["category_id"] not in ids:
            raise KeyError(
                f"{where} has category_id={ann['category_id']}, but this id does not exist in "
                f"'categories' of the json file, which lists {list(ids)}"
            )
        obj["category_id"] = ids[ann["category_id"]]
    return obj


def _usable_shape(segmentation: Any) -> Any:
    """Polygons with at least three points, or a compressed run-length mask."""
    if not isinstance(segmentation, dict):
        return [poly for poly in segmentation if len(poly) % 2 == 0 and len(poly) >= 6]
    if isinstance(segmentation["counts"], list):
        from pycocotools import mask

        return mask.frPyObjects(segmentation, *segmentation["size"])
    return segmentation


def convert_to_coco_dict(dataset_name: str) -> dict:
    """Convert a registered data set to a dict in COCO's format, which ``json.dump`` can write.

    Category ids are those of ``thing_dataset_id_to_contiguous_id`` where the metadata have it, else
    the class's index. Boxes are rounded to 3 decimals, annotations are numbered from 1, images
    without an id by their position.
    """
    metadata = MetadataCatalog.get(dataset_name)
    mapping = metadata.get("thing_dataset_id_to_contiguous_id", {})
    original = {index: category for category, index in mapping.items()}
    images: list[dict] = []
    annotations: list[dict] = []
    for position, record in enumerate(DatasetCatalog.get(dataset_name)):
        image = {
            "id": record.get("image_id", position),
            "width": int(record["width"]),
            "height": int(record["height"]),
            "file_name": str(record["file_name"]),
        }
        images.append(image)
        for anno in record.get("annotations", []):
            category = int(anno["category_id"])
            head = {"id": len(annotations) + 1, "image_id": image["id"]}
            category_id = original.get(category, category)
            annotations.append({**head, "category_id": category_id, **_box_and_shape(anno)})
    classes = enumerate(metadata.thing_classes)
    return {
        "info": {
            "date_created": str(datetime.datetime.now()),
            "description": f"Data set {dataset_name}, converted to COCO's format.",
        },
        "images": images,
        "categories": [{"id": original.get(i, i), "name": name} for i, name in classes],
        "licenses": None,
        "annotations": annotations,
    }


def _box_and_shape(anno: dict) -> dict:
    """Box, area and shape of one annotation; the area is the shape's where there is one."""
    box = np.asarray(anno["bbox"], dtype=np.float64).tolist()
    x, y, width, height = BoxMode.convert(box, anno["bbox_mode"], BoxMode.XYWH_ABS)
    converted: dict[str, Any] = {
        "bbox": [round(value, 3) for value in (x, y, width, height)],
        "iscrowd": int(anno.get("iscrowd", 0)),
    }
    shape = anno.get("segmentation")
    if not shape:
        # float32, as the areas that are measured against the limits of "small" elsewhere
        corners = BoxMode.convert(box, anno["bbox_mode"], BoxMode.XYXY_ABS)
        converted["area"] = Boxes(torch.tensor([corners])).area()[0].item()
    elif isinstance(shape, dict):
        from pycocotools import mask

        counts = shape["counts"]
        converted["area"] = float(mask.area(shape))
        text = counts.decode("ascii") if isinstance(counts, bytes) else counts
        converted["segmentation"] = {"size": list(shape["size"]), "counts": text}
    else:
        rings = (np.asarray(polygon, dtype=np.float64) for polygon in shape)
        converted["area"] = float(sum(polygon_area(ring[0::2], ring[1::2]) for ring in rings))
        converted["segmentation"] = shape
    return converted


def convert_to_coco_json(dataset_name: str, output_file: str, allow_cached: bool = True) -> None:
    """Write :func:`convert_to_coco_dict` to a file, or leave one that exists as it is."""
    if allow_cached and PathManager.exists(output_file):
        message = "Using %s as it is; remove it if the data set %s has changed since"
        logger.warning(message, output_file, dataset_name)
        return
    target = PathManager.get_local_path(os.fspath(output_file))
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    # Processes may write at the same time, and a reader must not find half a file.
    draft = f"{target}.{os.getpid()}.tmp"
    with open(draft, "w", encoding="utf-8") as file:
        json.dump(convert_to_coco_dict(dataset_name), file)
    os.replace(draft, target)
