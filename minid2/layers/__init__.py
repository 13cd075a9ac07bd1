"""Layers that the models are made of, over those of torch and torchvision."""

from torch.nn import BatchNorm2d, ConvTranspose2d, Linear
from torch.nn.functional import interpolate

from .batch_norm import CycleBatchNormList, FrozenBatchNorm2d, get_norm
from .blocks import CNNBlockBase
from .losses import ciou_loss, diou_loss
from .mask_ops import paste_masks_in_image
from .nms import batched_nms
from .roi_align import ROIAlign, roi_align
from .shape_spec import ShapeSpec
from .wrappers import Conv2d, cat, cross_entropy, move_device_like, nonzero_tuple
