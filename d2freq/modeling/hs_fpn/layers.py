"""The convolution block that HFP and SDP share."""

from collections import OrderedDict

import torch
from detectron2.layers import get_norm
from torch import Tensor, nn

__all__ = ["NORM_GROUPS", "ConvReLUNorm", "initialize"]

NORM_GROUPS = 32  # of "GN", in Detectron2 and in the authors' code


class ConvReLUNorm(nn.Sequential):
    """Convolution, then ReLU, then norm: the norm comes last, unlike in Detectron2's ``Conv2d``.

    Sub-modules ``conv``, ``relu`` and ``norm``, the latter two where they are asked for. The
    convolution keeps the size and starts Xavier-uniform, its bias zero.
    """

    def __init__(
        self, channels: int, *, kernel_size: int, bias: bool, relu: bool, norm: str
    ) -> None:
        conv = nn.Conv2d(channels, channels, kernel_size, padding=kernel_size // 2, bias=bias)
        initialize(conv)
        steps: OrderedDict[str, nn.Module] = OrderedDict(conv=conv)
        if relu:
            steps["relu"] = nn.ReLU(inplace=True)
        if norm == "GN":
            steps["norm"] = AnySizeGroupNorm(NORM_GROUPS, channels)
        elif norm:
            steps["norm"] = get_norm(norm, channels)
        super().__init__(steps)


class AnySizeGroupNorm(nn.GroupNorm):
    """GroupNorm that trains on a single pixel too.

    torch refuses a group of one number (one image, a map of 1 x 1, as many groups as channels),
    which is what a 32-channel neck sees at P5 of a 32 x 32 image. Such a group is all mean: its
    output is the bias.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        return torch.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


def initialize(conv: nn.Conv2d) -> None:
    """Xavier-uniform weight and zero bias, as the authors start every convolution of the neck."""
    nn.init.xavier_uniform_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
