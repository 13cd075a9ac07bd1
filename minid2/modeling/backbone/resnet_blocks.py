"""Stem and residual blocks of ResNet.

Shapes: N images, C channels, H x W the input of a block, s its stride.
"""

from collections.abc import Callable
from typing import Any

import torch
from fvcore.nn.weight_init import c2_msra_fill
from torch import nn
from torch.nn import functional as F

from ...layers import CNNBlockBase, Conv2d, get_norm

Norm = str | Callable[[int], nn.Module]  # as ``get_norm`` takes it


def _conv(c_in: int, c_out: int, kernel: int, *, norm: Norm, **options: Any) -> Conv2d:
    """A convolution without bias that keeps the size at stride 1, and its norm."""
    padding = options.get("dilation", 1) * (kernel // 2)
    return Conv2d(
        c_in, c_out, kernel, padding=padding, bias=False, norm=get_norm(norm, c_out), **options
    )


class _ResidualBlock(CNNBlockBase):
    """Convolutions ``conv1, conv2, ...`` in a row, with a ReLU after each, beside a shortcut.

    ``convs`` holds the arguments of ``_conv`` for each. The shortcut is a projection where the
    channels change, else the identity.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, norm: Norm, convs: list[dict]
    ):
        super().__init__(in_channels, out_channels, stride)
        self.shortcut = None
        if in_channels != out_channels:
            self.shortcut = _conv(in_channels, out_channels, 1, norm=norm, stride=stride)
        self._names = [f"conv{number}" for number in range(1, len(convs) + 1)]
        for name, options in zip(self._names, convs, strict=True):
            self.add_module(name, _conv(**options, norm=norm))
        # Equal seeds give Detectron2's weights: the shortcut comes first above and last here.
        for conv in sorted(self.children(), key=lambda conv: conv is self.shortcut):
            c2_msra_fill(conv)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (N, C_in, H, W) to (N, C_out, H / s, W / s)."""
        *inner, last = (getattr(self, name) for name in self._names)
        y = x
        for conv in inner:
            y = F.relu_(conv(y))
        y = last(y)
        y += x if self.shortcut is None else self.shortcut(x)
        return F.relu_(y)


class BasicBlock(_ResidualBlock):
    """Two 3x3 convolutions, the first of ``stride``, for ResNet-18 and ResNet-34."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1, norm: Norm = "BN"):
        convs = [
            {"c_in": in_channels, "c_out": out_channels, "kernel": 3, "stride": stride},
            {"c_in": out_channels, "c_out": out_channels, "kernel": 3},
        ]
        super().__init__(in_channels, out_channels, stride, norm, convs)


class BottleneckBlock(_ResidualBlock):
    """A 1x1, a 3x3 and a 1x1 convolution, for ResNet-50, 101 and 152 and for ResNeXt.

    The 3x3 convolution has ``bottleneck_channels``, ``num_groups`` and ``dilation``. With
    ``stride_in_1x1`` (Caffe weights) the first 1x1 has the stride instead of the 3x3.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        bottleneck_channels: int,
        stride: int = 1,
        num_groups: int = 1,
        norm: Norm = "BN",
        stride_in_1x1: bool = False,
        dilation: int = 1,
    ):
        first, middle = (stride, 1) if stride_in_1x1 else (1, stride)
        width = bottleneck_channels
        grouped = {"stride": middle, "groups": num_groups, "dilation": dilation}
        convs = [
            {"c_in": in_channels, "c_out": width, "kernel": 1, "stride": first},
            {"c_in": width, "c_out": width, "kernel": 3, **grouped},
            {"c_in": width, "c_out": out_channels, "kernel": 1},
        ]
        super().__init__(in_channels, out_channels, stride, norm, convs)


class BasicStem(CNNBlockBase):
    """What stands before the first block: 7x7 convolution, ReLU, max pooling; stride 4."""

    def __init__(self, in_channels: int = 3, out_channels: int = 64, norm: Norm = "BN"):
        super().__init__(in_channels, out_channels, 4)
        self.conv1 = _conv(in_channels, out_channels, 7, norm=norm, stride=2)
        c2_msra_fill(self.conv1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (N, C_in, H, W) to (N, C_out, H / 4, W / 4)."""
        return F.max_pool2d(F.relu_(self.conv1(x)), kernel_size=3, stride=2, padding=1)
