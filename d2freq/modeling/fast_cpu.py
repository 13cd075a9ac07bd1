"""Layers whose backward pass is faster on a CPU, in the place of a detector's own.

Values are equal to the last bit and gradients up to the rounding of a sum in another order, so that
a training goes the same way, not bit for bit.

Shape shorthand: B images, C channels, H x W the map, R regions, P x Q bins of a region.
"""

from typing import Any

from detectron2.layers import Conv2d, ROIAlign
from detectron2.modeling.proposal_generator.rpn import StandardRPNHead
from torch import Tensor, nn

from d2freq.ops.region_pooling import roi_align
from d2freq.ops.sparse_gradient import conv2d

__all__ = ["FastROIAlign", "SparselyLearningConv2d", "make_fast_on_cpu"]


class FastROIAlign(ROIAlign):
    """The host's ROIAlign by :func:`d2freq.ops.region_pooling.roi_align`."""

    def forward(self, input: Tensor, rois: Tensor) -> Tensor:
        """(B, C, H, W) and regions (R, 5) -> (R, C, P, Q)."""
        regions = rois.to(dtype=input.dtype)
        size: Any = self.output_size
        pair = (size, size) if isinstance(size, int) else tuple(size)
        return roi_align(
            input, regions, pair, self.spatial_scale, self.sampling_ratio, self.aligned
        )


class SparselyLearningConv2d(Conv2d):
    """The host's Conv2d by :func:`d2freq.ops.sparse_gradient.conv2d`; stride 1, the size stays."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C_out, H, W)."""
        x = conv2d(x, self.weight, self.bias)
        for step in (self.norm, self.activation):
            if step is not None:
                x = step(x)
        return x


def make_fast_on_cpu(model: nn.Module) -> int:
    """Exchange a model's layers in place; parameters, their names and the mode stay.

    ROIAlign becomes :class:`FastROIAlign`, and the convolutions of a region proposal network, which
    learn from some hundred sampled anchors an image, :class:`SparselyLearningConv2d`. A layer of
    another kind, and a convolution that changes the map's size, stays as it is.

    Returns:
        How many layers were exchanged.
    """
    exchanged = 0
    for module in model.modules():
        # Both classes add no state, so that the same object may become one of the other class.
        if type(module) is ROIAlign:
            module.__class__ = FastROIAlign
            exchanged += 1
        elif isinstance(module, StandardRPNHead):
            for layer in module.conv.modules():
                if type(layer) is Conv2d and _keeps_size(layer):
                    layer.__class__ = SparselyLearningConv2d
                    exchanged += 1
    return exchanged


def _keeps_size(layer: Conv2d) -> bool:
    side = layer.kernel_size[0]
    return (
        layer.kernel_size == (side, side)
        and side % 2 == 1
        and layer.stride == (1, 1)
        and layer.padding == (side // 2, side // 2)
        and layer.dilation == (1, 1)
        and layer.groups == 1
        and layer.padding_mode == "zeros"
    )
