"""The shapes of annotated objects: moved along with the image, and collected for training.

A segmentation is a list of polygons (x0, y0, x1, y1, ... in pixels), COCO's run lengths as a dict
(RLE), or, behind the transforms, a bitmap (H, W). H x W is the image.
"""

from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from ..structures import BitMasks, PolygonMasks, polygons_to_bitmask
from . import transforms as T

CHOICES = "give polygons as a list of lists of numbers, or COCO's run lengths as a dict"


def transform_segmentation(
    segmentation: Any, transforms: T.Transform | T.TransformList, image_size: tuple[int, int]
) -> Any:
    """What has become of a shape when ``transforms`` have made an image of ``image_size``.

    Returns:
        A list of arrays x0, y0, x1, ... for polygons (whole numbers stay whole, and are cut off
        by a resize, as in Detectron2); a bitmap, uint8, for run lengths.

    Raises:
        ValueError: the segmentation is neither.
        ModuleNotFoundError: polygons are to be cropped and shapely is not installed.
    """
    if isinstance(segmentation, list):
        points = [np.asarray(polygon).reshape(-1, 2) for polygon in segmentation]
        try:
            return [polygon.reshape(-1) for polygon in transforms.apply_polygons(points)]
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "cutting polygons off at a border needs shapely: pip install 'd2freq[shapely]', "
                "train without the crop (INPUT.CROP.ENABLED), or store masks as run lengths (RLE)"
            ) from error
    if isinstance(segmentation, dict):
        moved = transforms.apply_segmentation(_decode(segmentation))
        assert moved.shape[:2] == tuple(image_size), (
            f"a mask of {segmentation['size']} becomes {moved.shape[:2]}, its image "
            f"{tuple(image_size)}: it is not the mask of this image"
        )
        return moved
    raise ValueError(f"segmentation of type {type(segmentation).__name__}: {CHOICES}")


def collect_masks(
    segmentations: list[Any], image_size: tuple[int, int], mask_format: str
) -> PolygonMasks | BitMasks:
    """The segmentations of N objects as "polygon" or "bitmask" (INPUT.MASK_FORMAT).

    Raises:
        ValueError: something else than polygons is to become polygons, or has no known form.
    """
    assert mask_format in ("polygon", "bitmask"), f"mask_format {mask_format!r}"
    if mask_format == "polygon":
        try:
            return PolygonMasks(segmentations)
        except ValueError as error:
            raise ValueError(
                f"{error}. With mask_format (INPUT.MASK_FORMAT) 'polygon' all segmentations have "
                "to be polygons; 'bitmask' takes run lengths, too"
            ) from error
    masks = [_bitmap(segmentation, *image_size) for segmentation in segmentations]
    return BitMasks(np.stack(masks))


def _bitmap(segmentation: Any, height: int, width: int) -> np.ndarray:
    if isinstance(segmentation, list):
        return polygons_to_bitmask(segmentation, height, width)
    if isinstance(segmentation, dict):
        return _decode(segmentation).astype(bool)
    if isinstance(segmentation, np.ndarray) and segmentation.ndim == 2:
        return segmentation.astype(bool)
    raise ValueError(f"segmentation of type {type(segmentation).__name__}: {CHOICES}")


def _decode(rle: dict) -> np.ndarray:
    """(H, W) uint8 of compressed run lengths, or of those that are a list."""
    if isinstance(rle["counts"], list):
        rle = coco_mask.frPyObjects(rle, *rle["size"])
    return coco_mask.decode(rle)
