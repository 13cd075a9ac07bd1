"""SET: spectral enhancement for tiny object detection (CVPR 2025), in training only."""

from d2freq.modeling.set.branches import DEFAULT_BRANCHES, branch_losses
from d2freq.modeling.set.masks import foreground_mask
from d2freq.modeling.set.meta_arch import SET
from d2freq.modeling.set.perturbation import perturbation
from d2freq.modeling.set.smoothing import BackgroundSmoothing, SmoothingBlock, kernel_size

__all__ = [
    "DEFAULT_BRANCHES",
    "SET",
    "BackgroundSmoothing",
    "SmoothingBlock",
    "branch_losses",
    "foreground_mask",
    "kernel_size",
    "perturbation",
]
