"""Detectron2's way from a record to a model's input, through a reader of any depth.

H x W pixels after the augmentations, C channels, N objects.
"""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from detectron2.config import configurable
from detectron2.data import detection_utils as utils
from detectron2.data import transforms as T

from d2freq.data.pixels.channels import ChannelInput, check_augmentations, read_channels
from d2freq.data.pixels.config import reader_of
from d2freq.errors import UserError
from d2freq.utils.pixels import PixelReader

__all__ = ["PixelDatasetMapper"]


class PixelDatasetMapper:
    """DatasetMapper with a reader: same records, same augmentations, same output.

    Its images are float32 from 0 to 255 where Detectron2's are uint8, and may have any number of
    channels. Of a picture of 8 bits under the range [0, 255] they are the same numbers.
    """

    @configurable
    def __init__(
        self,
        is_train: bool = True,
        *,
        augmentations: Sequence[T.Augmentation | T.Transform],
        image_format: str,
        pixels: PixelReader | None = None,
        use_instance_mask: bool = False,
        instance_mask_format: str = "polygon",
        recompute_boxes: bool = False,
    ) -> None:
        """Keep the settings.

        Args:
            is_train: whether annotations are wanted.
            augmentations: what to apply to the image, one after the other.
            image_format: the order of three channels where the reader chooses no bands.
            pixels: the reader; None reads 8 bits as Detectron2 does, and refuses other pictures.
            use_instance_mask: keep segmentations, as ``gt_masks``.
            instance_mask_format: "polygon" or "bitmask".
            recompute_boxes: make boxes that fit the masks after the augmentations.

        Raises:
            UserError: the reader has another order than ``image_format``, or boxes are to be made
                of masks that are not used.
        """
        if pixels is not None and not pixels.bands and pixels.order != image_format:
            raise UserError(
                f"the reader's order is {pixels.order}, image_format {image_format}: take one"
            )
        if recompute_boxes and not use_instance_mask:
            raise UserError("recompute_boxes needs use_instance_mask")
        self.is_train = is_train
        self.augmentations = T.AugmentationList(augmentations)
        self.image_format = image_format
        self.pixels = pixels
        self.use_instance_mask = use_instance_mask
        self.instance_mask_format = instance_mask_format
        self.recompute_boxes = recompute_boxes

    @classmethod
    def from_config(cls, cfg: Any, is_train: bool = True) -> dict[str, Any]:
        """The arguments that INPUT stands for, as of Detectron2's DatasetMapper."""
        for key in ("KEYPOINT_ON", "LOAD_PROPOSALS"):
            if cfg.MODEL[key]:
                raise UserError(f"INPUT.PIXELS reads for boxes and masks: leave MODEL.{key}")
        steps = utils.build_augmentation(cfg, is_train)
        crop = cfg.INPUT.CROP
        cropped = is_train and crop.ENABLED
        if cropped:
            steps.insert(0, T.RandomCrop(crop.TYPE, crop.SIZE))
        return {
            "is_train": is_train,
            "augmentations": steps,
            "image_format": cfg.INPUT.FORMAT,
            "pixels": reader_of(cfg),
            "use_instance_mask": cfg.MODEL.MASK_ON,
            "instance_mask_format": cfg.INPUT.MASK_FORMAT,
            "recompute_boxes": cropped and cfg.MODEL.MASK_ON,
        }

    def __call__(self, dataset_dict: dict) -> dict:
        """Map one record, which stays as it is.

        Returns:
            A copy with "image" (C, H, W), and in training "instances" where the record has
            "annotations": those that are no crowds and of which something is left.

        Raises:
            OSError, DatasetError: the image is missing, damaged, or without the bands.
            SizeMismatchError: it is not as large as the record says.
        """
        record = copy.deepcopy(dataset_dict)
        held = ChannelInput(read_channels(record, self.image_format, self.pixels))
        channels = held.image.shape[2] if held.image.ndim == 3 else 1
        check_augmentations([type(step).__name__ for step in self.augmentations.augs], channels)
        transforms = self.augmentations(held)
        planes = np.atleast_3d(held.image).transpose(2, 0, 1)
        record["image"] = torch.from_numpy(np.array(planes, order="C"))
        annotations = record.pop("annotations", None)
        if self.is_train and annotations is not None:
            record["instances"] = self._instances(annotations, transforms, held.image.shape[:2])
        return record

    def _instances(self, annotations: list[dict], transforms: Any, size: tuple[int, int]) -> Any:
        left_out = {"keypoints"} if self.use_instance_mask else {"keypoints", "segmentation"}
        moved = [
            utils.transform_instance_annotations(
                {key: value for key, value in each.items() if key not in left_out}, transforms, size
            )
            for each in annotations
            if not each.get("iscrowd", 0)
        ]
        found = utils.annotations_to_instances(moved, size, mask_format=self.instance_mask_format)
        if self.recompute_boxes and found.has("gt_masks"):
            found.gt_boxes = found.gt_masks.get_bounding_boxes()
        return utils.filter_empty_instances(found)
