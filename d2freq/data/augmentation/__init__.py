"""Augmentations for tiny objects: rotation, mosaic, copy-paste and crops; DETR's two policies.

All chance comes from numpy's global generator, as in Detectron2's augmentations.
"""

from d2freq.data.augmentation.copy_paste import CopyPaste
from d2freq.data.augmentation.mapper import AugmentingDatasetMapper
from d2freq.data.augmentation.mosaic import Mosaic
from d2freq.data.augmentation.object_crop import RandomObjectCrop
from d2freq.data.augmentation.resize_crop import ResizeThenRandomCrop
from d2freq.data.augmentation.rotation import RandomAngle, RandomRotation90

__all__ = [
    "AugmentingDatasetMapper",
    "CopyPaste",
    "Mosaic",
    "RandomAngle",
    "RandomObjectCrop",
    "RandomRotation90",
    "ResizeThenRandomCrop",
]
