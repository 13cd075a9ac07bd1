"""Masks for the count, in COCO's run lengths: of ground truth and of detections, their overlaps.

N masks as an object array (N,) of dicts {"size": [height, width], "counts": bytes}. The arithmetic
is that of pycocotools.
"""

from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from d2freq.data.coco.run_lengths import run_length_ill
from d2freq.errors import DatasetError


def annotation_masks(data: dict, rows: np.ndarray, name: str) -> np.ndarray:
    """The masks of some annotations of a COCO file.

    Args:
        data: the loaded file.
        rows: (N,) places in its list of annotations.
        name: for messages.

    Raises:
        DatasetError: an annotation has no mask, or none of the size of its image.
    """
    sizes = {image["id"]: (image["height"], image["width"]) for image in data["images"]}
    annotations = [data["annotations"][row] for row in rows]
    return as_array([_annotation_mask(a, sizes[a["image_id"]], name) for a in annotations])


def _annotation_mask(annotation: dict, size: tuple[int, int], name: str) -> dict:
    shape = annotation.get("segmentation")
    where = f"{name}: annotation {annotation['id']} of image {annotation['image_id']}"
    if not shape:
        raise DatasetError(
            f"{where} has no segmentation, and masks are to be measured. Measure boxes alone "
            "(MODEL.MASK_ON False, tasks=('bbox',) of the evaluator), or add the masks"
        )
    try:
        if isinstance(shape, list):
            polygons = [polygon for polygon in shape if len(polygon) >= 6]
            return coco_mask.merge(coco_mask.frPyObjects(polygons, *size))
        if isinstance(shape["counts"], list):
            shape = coco_mask.frPyObjects(shape, *shape["size"])
        mask = {"size": list(shape["size"]), "counts": shape["counts"]}
        coco_mask.area(mask)
    except Exception as error:  # of many kinds, none of which pycocotools explains
        raise DatasetError(
            f"{where} has a segmentation that cannot be read ({error}): it is a list of polygons "
            "[x0, y0, x1, y1, ...], or COCO's run lengths with 'size' and 'counts'"
        ) from error
    if tuple(mask["size"]) != size:
        raise DatasetError(
            f"{where} has a mask of {tuple(mask['size'])}, its image {size} (height, width): "
            "correct the annotation"
        )
    return mask


def as_array(masks: list[dict]) -> np.ndarray:
    """An object array (N,) of masks."""
    array = np.empty(len(masks), object)
    array[:] = masks
    return array


def encode(pixels: np.ndarray) -> np.ndarray:
    """The masks of N bitmaps (N, H, W) bool."""
    if not len(pixels):
        return as_array([])
    return as_array(coco_mask.encode(np.asfortranarray(pixels.transpose(1, 2, 0), np.uint8)))


def decode(masks: np.ndarray) -> np.ndarray:
    """The bitmaps (N, H, W) bool of N masks of one image; (0, 0, 0) of none."""
    if not len(masks):
        return np.zeros((0, 0, 0), bool)
    return coco_mask.decode(list(masks)).transpose(2, 0, 1).astype(bool)


def as_json(mask: dict) -> dict[str, Any]:
    """One mask with its counts as text, as COCO's files have it."""
    return {"size": list(mask["size"]), "counts": mask["counts"].decode("ascii")}


def from_json(mask: Any) -> dict[str, Any] | None:
    """What ``as_json`` was given; None of nothing, as ``[]`` and null say, and of polygons.

    Run lengths may be a list of numbers, too. They are checked: pycocotools decodes what does not
    sum to the mask's size to no end.

    Raises:
        ValueError: no run lengths with 'size' and 'counts'; says what they are.
    """
    if not mask or isinstance(mask, list):
        return None
    if not isinstance(mask, dict):
        raise ValueError("no run lengths with 'size' and 'counts'")
    if ill := run_length_ill(mask, None):
        raise ValueError(f"no run lengths of COCO's: {ill}")
    height, width = mask["size"]
    if isinstance(mask["counts"], list):
        return coco_mask.frPyObjects(mask, height, width)
    return {"size": [height, width], "counts": mask["counts"].encode("ascii")}


def mask_boxes(masks: np.ndarray) -> np.ndarray:
    """The smallest boxes x, y, width, height around N masks, (N, 4) float64; zeros for none."""
    return np.asarray(coco_mask.toBbox(list(masks)), np.float64).reshape(-1, 4)


def mask_areas(masks: np.ndarray) -> np.ndarray:
    """(N,) float64, pixels."""
    # one by one: of more than 255 at once pycocotools 2.0.11 makes an OverflowError with NumPy 2
    return np.array([coco_mask.area(mask) for mask in masks], np.float64)


def mask_overlaps(
    masks: np.ndarray, row: np.ndarray, others: np.ndarray, number: np.ndarray, crowd: np.ndarray
) -> np.ndarray:
    """IoU of pairs of masks, or IoD where the other is a crowd.

    Args:
        masks: (N,) of detections.
        row: (P,) the detection of each pair, in runs.
        others: (G,) of ground truth.
        number: (P,) the ground truth of each pair.
        crowd: (G,) bool.

    Returns:
        (P,) float64 in [0, 1].
    """
    overlaps = [np.zeros(0)]
    cuts = np.flatnonzero(np.diff(row)) + 1
    for one, many in zip(np.split(row, cuts), np.split(number, cuts), strict=True):
        if len(one):
            near = coco_mask.iou([masks[one[0]]], list(others[many]), crowd[many].tolist())
            overlaps.append(near[0])
    return np.concatenate(overlaps)
