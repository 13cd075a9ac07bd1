"""The convolution block that HFP and SDP share."""

from collections import OrderedDict

from detectron2.layers import get_norm
from torch import nn

__all__ = ["ConvReLUNorm", "initialize"]


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
        if norm:
            steps["norm"] = get_norm(norm, channels)
        super().__init__(steps)


def initialize(conv: nn.Conv2d) -> None:
    """Xavier-uniform weight and zero bias, as the authors start every convolution of the neck."""
    nn.init.xavier_uniform_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
