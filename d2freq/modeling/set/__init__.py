"""SET: spectral enhancement for tiny object detection (CVPR 2025), in training only."""

from d2freq.modeling.set.masks import foreground_mask
from d2freq.modeling.set.perturbation import perturbation
from d2freq.modeling.set.smoothing import BackgroundSmoothing, SmoothingBlock, kernel_size

__all__ = [
    "BackgroundSmoothing",
    "SmoothingBlock",
    "foreground_mask",
    "kernel_size",
    "perturbation",
]
