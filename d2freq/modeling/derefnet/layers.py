"""Convolutions of DeRefNet with the initial weights of the published code."""

from torch import nn

__all__ = ["conv3x3"]


def conv3x3(inputs: int, outputs: int, *, mode: str = "fan_out", scale: float = 1.0) -> nn.Conv2d:
    """Size-keeping 3 x 3 convolution for a ReLU behind it: Kaiming-normal weights, bias 0.

    Args:
        inputs, outputs: channels.
        mode: "fan_out" or "fan_in", what keeps its variance.
        scale: factor on the initial weights.
    """
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    nn.init.kaiming_normal_(conv.weight, mode=mode, nonlinearity="relu")  # type: ignore[arg-type]
    conv.weight.data.mul_(scale)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv
