"""From the records of a data set to what a model takes: images, boxes, masks, their checks.

H x W is the image, C its channels, N its annotated instances. Image formats are "BGR" and the modes
of Pillow ("RGB", "L" ...).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps

from ..config import CfgNode
from ..structures import Boxes, BoxMode, Instances
from ..utils.file_io import PathManager
from . import transforms as T
from .catalog import MetadataCatalog
from .segmentations import collect_masks, transform_segmentation


def read_image(file_name: str, format: str | None = None) -> np.ndarray:
    """Read an image, upright: an orientation in its EXIF data is applied.

    Args:
        file_name, format: path or address, and what to convert to; None keeps the file's mode.

    Returns:
        (H, W, C) in [0, 255], uint8; (H, W) where ``format`` is None and the file has one channel.

    Raises:
        OSError: the file is missing, cut off or no image.
    """
    with PathManager.open(file_name, "rb") as file:
        try:
            image = Image.open(file)
            image.load()  # here the pixels are read, so that a cut-off file is found now
        except (OSError, SyntaxError, EOFError, ValueError) as error:
            raise OSError(
                f"cannot read image '{file_name}': {error}. The file is damaged, cut off or no "
                "image: copy it again from its source"
            ) from error
    return convert_PIL_to_numpy(ImageOps.exif_transpose(image), format)


def convert_PIL_to_numpy(image: Image.Image, format: str | None) -> np.ndarray:
    """Turn a Pillow image into an array; see :func:`read_image` for format and result."""
    if format is not None:
        image = image.convert("RGB" if format == "BGR" else format)
    array = np.array(image)  # a copy that can be written to, which torch wants
    if format == "BGR":
        return array[:, :, ::-1]
    return array[:, :, np.newaxis] if format == "L" else array


def convert_image_to_rgb(image: np.ndarray | torch.Tensor, format: str) -> np.ndarray:
    """Turn an image (H, W, C) of a given format into RGB (H, W, 3) in [0, 255], for drawing."""
    array = image.detach().cpu().numpy() if isinstance(image, torch.Tensor) else np.asarray(image)
    if format in ("RGB", "BGR"):
        return array if format == "RGB" else array[:, :, ::-1]
    pixels = array.astype(np.uint8)
    height, width = pixels.shape[:2]
    return np.asarray(Image.frombytes(format, (width, height), pixels.tobytes()).convert("RGB"))


class SizeMismatchError(ValueError):
    """An image's size is not the one that its record says."""


def check_image_size(dataset_dict: dict, image: np.ndarray) -> None:
    """Compare an image (H, W, ...) with its record; write the size into a record that has none.

    Raises:
        SizeMismatchError: the record says otherwise.
    """
    height, width = image.shape[:2]
    expected = (dataset_dict.get("width", width), dataset_dict.get("height", height))
    if (width, height) != expected:
        raise SizeMismatchError(
            f"image {dataset_dict.get('file_name')} is {(width, height)}, but its record says "
            f"{expected} (width, height): correct the annotation file. An orientation in the EXIF "
            "data has been applied."
        )
    dataset_dict["width"], dataset_dict["height"] = expected


def _corners(annotation: dict) -> np.ndarray:
    """The box of one annotation as x1, y1, x2, y2."""
    if "keypoints" in annotation:
        raise NotImplementedError(
            "an annotation has 'keypoints', and minid2 handles boxes and masks only: remove the "
            "key from the record, or install the real Detectron2"
        )
    return np.asarray(
        BoxMode.convert(annotation["bbox"], annotation["bbox_mode"], BoxMode.XYXY_ABS)
    )


def transform_instance_annotations(
    annotation: dict,
    transforms: Any,
    image_size: tuple[int, int],
    *,
    keypoint_hflip_indices: np.ndarray | None = None,
) -> dict:
    """Move the box and the mask of one annotation along with the image, in place.

    Args:
        annotation: has "bbox", "bbox_mode" and, with a mask, "segmentation".
        transforms: what was done to the image: a transform or a list of them.
        image_size: height, width afterwards; the box is cut off at its border.
        keypoint_hflip_indices: of no effect, as keypoints are not supported.

    Returns:
        The same dict; "bbox" is an array, "bbox_mode" XYXY_ABS, "segmentation" what
        :func:`transform_segmentation` makes of it.

    Raises:
        NotImplementedError: the annotation has keypoints.
        ValueError: the segmentation has no known form.
    """
    if isinstance(transforms, (list, tuple)):
        transforms = T.TransformList(list(transforms))
    height, width = image_size
    moved = transforms.apply_box(_corners(annotation)[None])[0]
    annotation["bbox"] = np.clip(moved, 0, [width, height, width, height]).astype(moved.dtype)
    annotation["bbox_mode"] = BoxMode.XYXY_ABS
    if "segmentation" in annotation:
        annotation["segmentation"] = transform_segmentation(
            annotation["segmentation"], transforms, image_size
        )
    return annotation


def annotations_to_instances(
    annos: list[dict], image_size: tuple[int, int], mask_format: str = "polygon"
) -> Instances:
    """Collect annotations of one image into the fields that models train on.

    Args:
        annos: N annotations with "bbox", "bbox_mode", "category_id", and all or none of them
            with "segmentation".
        image_size: height, width.
        mask_format: "polygon" or "bitmask": what the segmentations become.

    Returns:
        Instances with ``gt_boxes`` (N, 4) float32, ``gt_classes`` (N,) int64 and, where there are
        segmentations, ``gt_masks``, PolygonMasks or BitMasks.

    Raises:
        NotImplementedError: an annotation has keypoints.
        KeyError: some have a segmentation and others none.
        ValueError: a segmentation does not fit the format.
    """
    boxes = np.array([_corners(anno) for anno in annos], dtype=np.float32).reshape(-1, 4)
    classes = torch.tensor([int(anno["category_id"]) for anno in annos], dtype=torch.int64)
    target = Instances(image_size, gt_boxes=Boxes(torch.from_numpy(boxes)), gt_classes=classes)
    shapes = [anno["segmentation"] for anno in annos if "segmentation" in anno]
    if not shapes:
        return target
    if len(shapes) < len(annos):
        raise KeyError(
            f"'segmentation' is missing in {len(annos) - len(shapes)} of {len(annos)} annotations "
            "of an image: complete the annotation file, or train without masks (MODEL.MASK_ON)"
        )
    target.gt_masks = collect_masks(shapes, image_size, mask_format)
    return target


def filter_empty_instances(
    instances: Instances,
    by_box: bool = True,
    by_mask: bool = True,
    box_threshold: float = 1e-5,
    return_mask: bool = False,
) -> Instances | tuple[Instances, torch.Tensor]:
    """Drop instances of which the crop has left nothing.

    Args:
        instances: with ``gt_boxes`` and, if any, ``gt_masks``.
        by_box: drop those with an empty box.
        by_mask: drop those with an empty mask, if there are masks.
        box_threshold: a box at most this wide or high is empty.
        return_mask: return also which were kept, (N,) bool.
    """
    keep = torch.ones(len(instances), dtype=torch.bool)
    if by_box:
        keep = instances.gt_boxes.nonempty(threshold=box_threshold)
    if by_mask and instances.has("gt_masks"):
        keep = keep & instances.gt_masks.nonempty()
    return (instances[keep], keep) if return_mask else instances[keep]


def build_augmentation(cfg: CfgNode, is_train: bool) -> list[T.Augmentation]:
    """The default augmentations of a config's INPUT section: resize, and in training a flip.

    Raises:
        ValueError: INPUT.RANDOM_FLIP has no known value.
    """
    inputs = cfg.INPUT
    if not is_train:
        return [T.ResizeShortestEdge(inputs.MIN_SIZE_TEST, inputs.MAX_SIZE_TEST, "choice")]
    style, flip = inputs.MIN_SIZE_TRAIN_SAMPLING, inputs.RANDOM_FLIP
    resize = T.ResizeShortestEdge(inputs.MIN_SIZE_TRAIN, inputs.MAX_SIZE_TRAIN, style)
    if flip not in ("none", "horizontal", "vertical"):
        raise ValueError(f"INPUT.RANDOM_FLIP is none, horizontal or vertical, got {flip!r}")
    if flip == "none":
        return [resize]
    return [resize, T.RandomFlip(horizontal=flip == "horizontal", vertical=flip == "vertical")]


def check_metadata_consistency(key: str, dataset_names: Sequence[str]) -> None:
    """Check that data sets which are used together agree on a piece of metadata.

    Raises:
        AttributeError: one of them has no such attribute.
        ValueError: two of them disagree.
    """
    values = {name: getattr(MetadataCatalog.get(name), key) for name in dataset_names}
    if any(value != values[dataset_names[0]] for value in values.values()):
        raise ValueError(f"these data sets differ in their {key} and cannot be joined: {values}")
