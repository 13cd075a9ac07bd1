"""Standard records to COCO's JSON format, for evaluators that read it."""

import datetime
import json
import logging
import os

import numpy as np
import torch

from ...structures import Boxes, BoxMode
from ...utils.file_io import PathManager
from ..catalog import DatasetCatalog, MetadataCatalog

logger = logging.getLogger(__name__)


def convert_to_coco_dict(dataset_name: str) -> dict:
    """Convert a registered data set to a dict in COCO's format.

    Args:
        dataset_name: registered, with ``thing_classes`` in its metadata. Category ids are those
            of ``thing_dataset_id_to_contiguous_id`` where the metadata have it, else the class's
            index.

    Returns:
        A dict that ``json.dump`` can write. Boxes are rounded to 3 decimals, annotations are
        numbered from 1, images without an id by their position.

    Raises:
        ValueError: an annotation has no box of 4 numbers.
    """
    metadata = MetadataCatalog.get(dataset_name)
    mapping = metadata.get("thing_dataset_id_to_contiguous_id", {})
    original = {index: category for category, index in mapping.items()}
    records = DatasetCatalog.get(dataset_name)

    images: list[dict] = []
    annotations: list[dict] = []
    for position, record in enumerate(records):
        image = {
            "id": record.get("image_id", position),
            "width": int(record["width"]),
            "height": int(record["height"]),
            "file_name": str(record["file_name"]),
        }
        images.append(image)
        for anno in record.get("annotations", []):
            converted = {"id": len(annotations) + 1, "image_id": image["id"]}
            converted.update(_annotation(anno, image))
            category = int(anno["category_id"])
            converted["category_id"] = original.get(category, category)
            annotations.append(converted)
    logger.info("%s: %d images, %d annotations", dataset_name, len(images), len(annotations))
    return {
        "info": {
            "date_created": str(datetime.datetime.now()),
            "description": f"Data set {dataset_name}, converted to COCO's format.",
        },
        "images": images,
        "categories": [
            {"id": original.get(index, index), "name": name}
            for index, name in enumerate(metadata.thing_classes)
        ],
        "licenses": None,
        "annotations": annotations,
    }


def _annotation(anno: dict, image: dict) -> dict:
    """Box, area and shape of one annotation; the area is the shape's where there is one."""
    box = anno["bbox"].tolist() if isinstance(anno["bbox"], np.ndarray) else list(anno["bbox"])
    if len(box) != 4:
        raise ValueError(f"image {image['file_name']}: a box has 4 numbers, got {box}")
    corners = BoxMode.convert(box, anno["bbox_mode"], BoxMode.XYXY_ABS)
    box = BoxMode.convert(box, anno["bbox_mode"], BoxMode.XYWH_ABS)
    converted = {
        "bbox": [round(float(value), 3) for value in box],
        "iscrowd": int(anno.get("iscrowd", 0)),
    }
    shape = anno.get("segmentation")
    if not shape:
        # float32, as the areas that are measured against the limits of "small" elsewhere
        converted["area"] = Boxes(torch.tensor([corners])).area()[0].item()
    elif isinstance(shape, dict):
        from pycocotools import mask

        counts = shape["counts"]
        converted["area"] = float(mask.area(shape))
        converted["segmentation"] = {
            "size": list(shape["size"]),
            "counts": counts.decode("ascii") if isinstance(counts, bytes) else counts,
        }
    else:
        converted["area"] = float(sum(map(_polygon_area, shape)))
        converted["segmentation"] = shape
    return converted


def _polygon_area(polygon: list[float]) -> float:
    """Area inside x0, y0, x1, y1, ... by the shoelace formula."""
    x, y = np.asarray(polygon, dtype=np.float64).reshape(-1, 2).T
    return 0.5 * abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))))


def convert_to_coco_json(dataset_name: str, output_file: str, allow_cached: bool = True) -> None:
    """Write a registered data set to a file in COCO's format.

    Args:
        dataset_name: see :func:`convert_to_coco_dict`.
        output_file: its folder is made where needed.
        allow_cached: leave a file that exists as it is.
    """
    if allow_cached and PathManager.exists(output_file):
        message = "Using %s as it is; remove it if the data set %s has changed since"
        logger.warning(message, output_file, dataset_name)
        return
    target = PathManager.get_local_path(os.fspath(output_file))
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    content = convert_to_coco_dict(dataset_name)
    # Processes may write at the same time, and a reader must not find half a file.
    draft = f"{target}.{os.getpid()}.tmp"
    with open(draft, "w", encoding="utf-8") as file:
        json.dump(content, file)
    os.replace(draft, target)
