"""All augmentations, under the module name that Detectron2 has for them."""

from .augmentation_color import (
    RandomBrightness,
    RandomContrast,
    RandomLighting,
    RandomSaturation,
)
from .augmentation_crop import FixedSizeCrop, RandomCrop
from .augmentation_geometry import (
    RandomApply,
    RandomFlip,
    Resize,
    ResizeScale,
    ResizeShortestEdge,
)

__all__ = [
    "FixedSizeCrop",
    "RandomApply",
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
    "RandomLighting",
    "RandomSaturation",
    "Resize",
    "ResizeScale",
    "ResizeShortestEdge",
]
