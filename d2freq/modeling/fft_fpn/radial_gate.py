"""Learned weights of radial bands: the filter behind a lateral of FFTFPN.

Shape shorthand: B images, C channels, H x W of this level, K bands.
"""

import torch
from torch import Tensor, nn

from d2freq.ops.radial_filter import add_bands

__all__ = ["RadialGate"]


class RadialGate(nn.Module):
    """Each band of a map times 1 + a learned weight, which starts at zero: the map as it is.

    Args:
        channels: C.
        bands: K, at least 2.
        per_channel: weights (C, K); else (1, K), which all channels share.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.fft_fpn import RadialGate
        >>> gate, x = RadialGate(4), torch.randn(2, 4, 9, 12)
        >>> torch.equal(gate(x), x)
        True
    """

    def __init__(self, channels: int, *, bands: int = 8, per_channel: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels if per_channel else 1, bands))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        return add_bands(x, self.weight)
