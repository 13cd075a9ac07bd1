"""The default way from a record to the input of a model."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..config import CfgNode, configurable
from ..host import logger_of, refuse
from . import detection_utils as utils
from . import transforms as T


class DatasetMapper:
    """Reads the image of a record, augments it with its boxes and masks, and makes tensors of both.

    A callable for :class:`MapDataset` and the loaders.
    """

    @configurable
    def __init__(
        self,
        is_train: bool,
        *,
        augmentations: Sequence[T.Augmentation | T.Transform],
        image_format: str,
        use_instance_mask: bool = False,
        use_keypoint: bool = False,
        instance_mask_format: str = "polygon",
        keypoint_hflip_indices: np.ndarray | None = None,
        precomputed_proposal_topk: int | None = None,
        recompute_boxes: bool = False,
    ):
        """Keep the settings.

        Args:
            is_train: whether annotations are wanted.
            augmentations: what to apply to the image, one after the other.
            image_format: see :func:`detection_utils.read_image`.
            use_instance_mask: keep segmentations, as the targets' ``gt_masks``.
            instance_mask_format: "polygon" or "bitmask"; see :func:`annotations_to_instances`.
            recompute_boxes: make boxes that fit the masks after the augmentations.
            use_keypoint, precomputed_proposal_topk: not supported, nor are the arguments that
                go with them.

        Raises:
            NotImplementedError: keypoints or stored proposals are asked for.
            ValueError: boxes are to be made of masks, but masks are not used.
        """
        refuse("use_keypoint (MODEL.KEYPOINT_ON)", use_keypoint)
        refuse("precomputed_proposal_topk (MODEL.LOAD_PROPOSALS)", precomputed_proposal_topk)
        if recompute_boxes and not use_instance_mask:
            raise ValueError("DatasetMapper: recompute_boxes needs use_instance_mask")
        self.is_train = is_train
        self.augmentations = T.AugmentationList(augmentations)
        self.image_format = image_format
        self.use_instance_mask = use_instance_mask
        self.instance_mask_format = instance_mask_format
        self.recompute_boxes = recompute_boxes
        mode = "training" if is_train else "inference"
        logger_of(__name__).info("Augmentations in %s: %s", mode, self.augmentations)

    @classmethod
    def from_config(cls, cfg: CfgNode, is_train: bool = True) -> dict[str, Any]:
        """The arguments that a config stands for; crops come before everything else.

        A crop cuts objects off, so where there are masks the boxes of training are made of them.
        """
        augs = utils.build_augmentation(cfg, is_train)
        crop = cfg.INPUT.CROP
        cropped = is_train and crop.ENABLED
        if cropped:
            augs.insert(0, T.RandomCrop(crop.TYPE, crop.SIZE))
        topk = cfg.DATASETS[f"PRECOMPUTED_PROPOSAL_TOPK_{'TRAIN' if is_train else 'TEST'}"]
        return {
            "is_train": is_train,
            "augmentations": augs,
            "image_format": cfg.INPUT.FORMAT,
            "use_instance_mask": cfg.MODEL.MASK_ON,
            "instance_mask_format": cfg.INPUT.MASK_FORMAT,
            "recompute_boxes": cropped and cfg.MODEL.MASK_ON,
            "use_keypoint": cfg.MODEL.KEYPOINT_ON,
            "precomputed_proposal_topk": topk if cfg.MODEL.LOAD_PROPOSALS else None,
        }

    def __call__(self, dataset_dict: dict) -> dict:
        """Map one record, which stays as it is.

        Returns:
            A copy with "image" (C, H, W), and in training "instances" where the record has
            "annotations": those that are no crowds and of which something is left.

        Raises:
            OSError: the image is missing or damaged; the message names the file and the record.
            SizeMismatchError: the image is not as large as the record says.
        """
        record = copy.deepcopy(dataset_dict)
        image = self._read(record)
        utils.check_image_size(record, image)

        held = T.AugInput(image)
        tfms = self.augmentations(held)
        # Always a copy: a flipped array has negative strides, one from Pillow is read-only.
        planes = np.atleast_3d(held.image).transpose(2, 0, 1)
        record["image"] = torch.from_numpy(np.array(planes, order="C"))

        annotations = record.pop("annotations", None)
        if self.is_train and annotations is not None:
            record["instances"] = self._instances(annotations, tfms, held.image.shape[:2])
        return record

    def _read(self, record: dict) -> np.ndarray:
        try:
            return utils.read_image(record["file_name"], format=self.image_format)
        except OSError as error:
            raise type(error)(
                f"record image_id={record.get('image_id')}: {error}. Check the folder of images "
                "that the data set was registered with, and its annotation file"
            ) from error

    def _instances(self, annotations: list[dict], tfms: T.TransformList, size: tuple[int, int]):
        unwanted = {"keypoints"} if self.use_instance_mask else {"keypoints", "segmentation"}
        moved = []
        for anno in annotations:
            if anno.get("iscrowd", 0) == 0:
                wanted = {k: v for k, v in anno.items() if k not in unwanted}
                moved.append(utils.transform_instance_annotations(wanted, tfms, size))
        found = utils.annotations_to_instances(moved, size, mask_format=self.instance_mask_format)
        if self.recompute_boxes and found.has("gt_masks"):
            found.gt_boxes = found.gt_masks.get_bounding_boxes()
        return utils.filter_empty_instances(found)
