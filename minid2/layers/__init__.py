"""Layers that the models are made of, over those of torch and torchvision."""

from .batch_norm import CycleBatchNormList, FrozenBatchNorm2d, get_norm
from .blocks import CNNBlockBase
from .mask_ops import paste_masks_in_image
from .shape_spec import ShapeSpec
from .wrappers import Conv2d, ROIAlign, batched_nms, cat, cross_entropy
