"""The mapper of training whose augmentations may take several images and see the objects.

H x W pixels after the augmentations, C channels, N objects.
"""

import copy
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from detectron2.data import DatasetFromList
from detectron2.data import detection_utils as utils
from detectron2.data.transforms import Augmentation
from fvcore.transforms.transform import Transform

from d2freq.data.augmentation.sample import BadPartner, Sample, SampleStep, SeenObject
from d2freq.data.pixels.channels import check_augmentations, read_channels
from d2freq.errors import DatasetError, UserError
from d2freq.utils.pixels import PixelReader

# ruff: noqa: NPY002 - the global generator is the one that the loader seeds

__all__ = ["AugmentingDatasetMapper"]


class AugmentingDatasetMapper:
    """Detectron2's DatasetMapper for training, with d2freq's augmentations beside Detectron2's.

    It gives what DatasetMapper gives, and "left_out", how many objects were ``outside`` of the
    image and how many ``hardly_visible``; the latter are not trained on, as in
    ``d2freq convert tiles``, which makes them ``iscrowd``.
    """

    def __init__(
        self,
        is_train: bool = True,
        *,
        augmentations: Sequence[Augmentation | Transform | SampleStep],
        image_format: str,
        pixels: PixelReader | None = None,
        use_instance_mask: bool = False,
        instance_mask_format: str = "polygon",
        min_visible: float = 0.3,
    ) -> None:
        """Keep the settings.

        Args:
            is_train: has to be True; what is measured is not augmented.
            augmentations: in their order; Detectron2's, and those of d2freq.data.augmentation.
            image_format: "RGB", "BGR", ...; see Detectron2's ``read_image``.
            pixels: the reader of pictures of other depths and bands; None reads 8 bits.
            use_instance_mask: keep segmentations, as ``gt_masks``.
            instance_mask_format: "polygon" or "bitmask".
            min_visible: an object of which a smaller share is seen is left out.

        Raises:
            UserError: ``is_train`` is False, or ``min_visible`` is no share.
        """
        if not is_train:
            raise UserError("AugmentingDatasetMapper augments training: is_train has to be True")
        if not 0 <= min_visible <= 1:
            raise UserError(f"min_visible {min_visible}: a share is from 0 to 1")
        self.is_train = is_train
        self.augmentations = list(augmentations)
        self.image_format = image_format
        self.pixels = pixels
        self.use_instance_mask = use_instance_mask
        self.instance_mask_format = instance_mask_format
        self.min_visible = min_visible
        self.partners: Any = None
        logging.getLogger(__name__).info("Augmentations in training: %s", self.augmentations)

    def draw_from(self, records: Any) -> None:
        """Take the partners of mosaic and copy-paste from these records, a list or a data set."""
        # as bytes, which the worker processes share
        self.partners = (
            DatasetFromList(records, copy=False) if isinstance(records, list) else records
        )

    def __call__(self, dataset_dict: dict) -> dict:
        """Map one record, which stays as it is.

        Raises:
            OSError, DatasetError: the record's own image is missing or damaged, or of more bits or
                bands than is read.
            SizeMismatchError: it is not as large as the record says.
            BadPartner: either, of an image that mosaic or copy-paste has drawn.
        """
        record = copy.deepcopy(dataset_dict)
        sample = self._read(record)
        channels = sample.image.shape[2] if sample.image.ndim == 3 else 1
        check_augmentations([type(step).__name__ for step in self.augmentations], channels)
        for step in self.augmentations:
            if isinstance(step, SampleStep):
                step(sample, self._partner)
            elif isinstance(step, Augmentation):
                step(sample)
            else:
                sample.transform(step)
        planes = np.atleast_3d(sample.image).transpose(2, 0, 1)
        record["image"] = torch.from_numpy(np.array(planes, order="C"))
        if record.pop("annotations", None) is not None:
            seen, record["left_out"] = sample.seen(
                self.min_visible, with_mask=self.use_instance_mask
            )
            found = utils.annotations_to_instances(
                [each.annotation(with_mask=self.use_instance_mask) for each in seen],
                sample.size,
                mask_format=self.instance_mask_format,
            )
            record["instances"] = utils.filter_empty_instances(found)
        return record

    def _read(self, record: dict) -> Sample:
        image = read_channels(record, self.image_format, self.pixels)
        objects = [
            SeenObject.read(each, image.shape[:2], with_mask=self.use_instance_mask)
            for each in record.get("annotations", ())
        ]
        return Sample(image, objects)

    def _partner(self) -> Sample:
        if self.partners is None:
            raise UserError(
                "mosaic and copy-paste need other images of the data set: build the loader with "
                "build_seeded_train_loader, or call the mapper's draw_from(records)"
            )
        record = self.partners[int(np.random.randint(len(self.partners)))]
        try:
            return self._read(record)
        except (OSError, DatasetError, utils.SizeMismatchError) as error:
            raise BadPartner(record, error) from error
