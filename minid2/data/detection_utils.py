"""From the records of a data set to what a model takes: images, boxes and their checks.

H x W is the image, N its annotated instances.
"""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..config import CfgNode
from ..structures import Boxes, BoxMode, Instances
from . import transforms as T
from .catalog import MetadataCatalog
from .image_io import convert_image_to_rgb, convert_PIL_to_numpy, read_image

__all__ = [
    "SizeMismatchError",
    "annotations_to_instances",
    "build_augmentation",
    "check_image_size",
    "check_metadata_consistency",
    "convert_PIL_to_numpy",
    "convert_image_to_rgb",
    "filter_empty_instances",
    "gen_crop_transform_with_instance",
    "get_bbox",
    "read_image",
    "transform_instance_annotations",
]


class SizeMismatchError(ValueError):
    """An image's size is not the one that its record says."""


def check_image_size(dataset_dict: dict, image: np.ndarray) -> None:
    """Compare an image with its record; write the size into a record that has none.

    Args:
        dataset_dict: the record; "width" and "height" are added where missing.
        image: (H, W) or (H, W, C).

    Raises:
        SizeMismatchError: the record says otherwise.
    """
    height, width = image.shape[:2]
    expected = (dataset_dict.get("width", width), dataset_dict.get("height", height))
    if (width, height) != expected:
        name = f" for image {dataset_dict['file_name']}" if "file_name" in dataset_dict else ""
        raise SizeMismatchError(
            f"Mismatched image shape{name}, got {(width, height)}, expect {expected} (width, "
            "height). Please check the width/height in your annotation; an orientation in the "
            "EXIF data has been applied."
        )
    dataset_dict["width"], dataset_dict["height"] = expected


def get_bbox(annotation: dict) -> np.ndarray:
    """The box of one annotation as x1, y1, x2, y2."""
    box = BoxMode.convert(annotation["bbox"], annotation["bbox_mode"], BoxMode.XYXY_ABS)
    return np.asarray(box)


def _refuse_masks(annotation: dict) -> None:
    for key in ("segmentation", "keypoints"):
        if key in annotation:
            raise NotImplementedError(
                f"an annotation has '{key}', and minid2 handles boxes only: remove the key from "
                "the record, or install the real Detectron2"
            )


def transform_instance_annotations(
    annotation: dict,
    transforms: Any,
    image_size: tuple[int, int],
    *,
    keypoint_hflip_indices: np.ndarray | None = None,
) -> dict:
    """Move the box of one annotation along with the image, in place.

    Args:
        annotation: has "bbox" and "bbox_mode".
        transforms: what was done to the image: a transform or a list of them.
        image_size: height, width afterwards; the box is cut off at its border.
        keypoint_hflip_indices: has to be None.

    Returns:
        The same dict; "bbox" is an array, "bbox_mode" XYXY_ABS.

    Raises:
        NotImplementedError: the annotation has a mask or keypoints.
    """
    if keypoint_hflip_indices is not None:
        raise NotImplementedError("keypoint_hflip_indices: keypoints need the real Detectron2")
    _refuse_masks(annotation)
    if isinstance(transforms, (list, tuple)):
        transforms = T.TransformList(list(transforms))
    height, width = image_size
    moved = transforms.apply_box(get_bbox(annotation)[None])[0]
    annotation["bbox"] = np.clip(moved, 0, [width, height, width, height]).astype(moved.dtype)
    annotation["bbox_mode"] = BoxMode.XYXY_ABS
    return annotation


def annotations_to_instances(
    annos: list[dict], image_size: tuple[int, int], mask_format: str = "polygon"
) -> Instances:
    """Collect annotations of one image into the fields that models train on.

    Args:
        annos: N annotations with "bbox", "bbox_mode", "category_id".
        image_size: height, width.
        mask_format: of no effect, as masks are not supported.

    Returns:
        Instances with ``gt_boxes`` (N, 4) float32 and ``gt_classes`` (N,) int64.

    Raises:
        NotImplementedError: an annotation has a mask or keypoints.
    """
    for anno in annos:
        _refuse_masks(anno)
    boxes = np.array([get_bbox(anno) for anno in annos], dtype=np.float32).reshape(-1, 4)
    classes = [int(anno["category_id"]) for anno in annos]
    return Instances(
        image_size,
        gt_boxes=Boxes(torch.from_numpy(boxes)),
        gt_classes=torch.tensor(classes, dtype=torch.int64),
    )


def filter_empty_instances(
    instances: Instances,
    by_box: bool = True,
    by_mask: bool = True,
    box_threshold: float = 1e-5,
    return_mask: bool = False,
) -> Instances | tuple[Instances, torch.Tensor]:
    """Drop instances of which the crop has left nothing.

    Args:
        instances: with ``gt_boxes``.
        by_box: drop those with an empty box.
        by_mask: of no effect on instances without masks, but one of the two has to be set.
        box_threshold: a box at most this wide or high is empty.
        return_mask: return also which were kept, (N,) bool.
    """
    assert by_box or by_mask, "filter_empty_instances: set by_box or by_mask"
    keep = torch.ones(len(instances), dtype=torch.bool)
    if by_box:
        keep = instances.gt_boxes.nonempty(threshold=box_threshold)
    kept = instances[keep]
    return (kept, keep) if return_mask else kept


def gen_crop_transform_with_instance(
    crop_size: tuple[int, int], image_size: tuple[int, int], instance: dict
) -> T.CropTransform:
    """Draw a crop that holds the centre of an instance.

    Args:
        crop_size: height, width in pixels.
        image_size: height, width.
        instance: an annotation with "bbox" and "bbox_mode".

    Raises:
        AssertionError: the crop is larger than the image, or the box lies outside it.
    """
    box = get_bbox(instance)
    crop, size = np.asarray(crop_size, dtype=np.int32), np.asarray(image_size, dtype=np.int32)
    corner, centre = box[1::-1], (box[1::-1] + box[3:1:-1]) * 0.5  # both y, x
    assert (size >= corner).all(), "The annotation bounding box is outside of the image!"
    assert (size >= crop).all(), f"Crop size {crop_size} is larger than image size {image_size}!"
    least = np.maximum(np.floor(centre).astype(np.int32) - crop, 0)
    most = np.minimum(np.maximum(size - crop, 0), np.ceil(centre).astype(np.int32))
    top, left = (
        int(np.random.randint(low, high + 1))  # noqa: NPY002 - the generator of each worker
        for low, high in zip(least, most, strict=True)
    )
    return T.CropTransform(left, top, int(crop[1]), int(crop[0]))


def build_augmentation(cfg: CfgNode, is_train: bool) -> list[T.Augmentation]:
    """The default augmentations of a config: resize, and in training a flip.

    Args:
        cfg: its INPUT section is read.
        is_train: which of the two.

    Raises:
        ValueError: INPUT.RANDOM_FLIP has no known value.
    """
    inputs = cfg.INPUT
    if not is_train:
        return [T.ResizeShortestEdge(inputs.MIN_SIZE_TEST, inputs.MAX_SIZE_TEST, "choice")]
    augs: list[T.Augmentation] = [
        T.ResizeShortestEdge(
            inputs.MIN_SIZE_TRAIN, inputs.MAX_SIZE_TRAIN, inputs.MIN_SIZE_TRAIN_SAMPLING
        )
    ]
    flip = inputs.RANDOM_FLIP
    if flip not in ("none", "horizontal", "vertical"):
        raise ValueError(f"INPUT.RANDOM_FLIP is none, horizontal or vertical, got {flip!r}")
    if flip != "none":
        augs.append(T.RandomFlip(horizontal=flip == "horizontal", vertical=flip == "vertical"))
    return augs


def check_metadata_consistency(key: str, dataset_names: Sequence[str]) -> None:
    """Check that data sets which are used together agree on a piece of metadata.

    Args:
        key: the attribute.
        dataset_names: the data sets; none is fine.

    Raises:
        AttributeError: one of them has no such attribute.
        ValueError: two of them disagree.
    """
    values = {name: getattr(MetadataCatalog.get(name), key) for name in dataset_names}
    expected = next(iter(values.values()), None)
    different = [name for name, value in values.items() if value != expected]
    if different:
        for name, value in values.items():
            logging.getLogger(__name__).error("%s of dataset %s: %s", key, name, value)
        raise ValueError(
            f"Datasets have different metadata '{key}'! {different} and {next(iter(values))} "
            "cannot be used together."
        )
