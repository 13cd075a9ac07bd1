"""Gated details of the Haar wavelet: the filter behind a lateral of WaveletFPN.

Shape shorthand: B images, C channels, H x W of this level, h x w = ceil(H / 2) x ceil(W / 2).
"""

import torch
from torch import Tensor, nn

from d2freq.ops.haar import haar_join, haar_split
from d2freq.utils.choices import choice

__all__ = ["DetailGate"]

GATES = ("cell", "channel")


class DetailGate(nn.Module):
    """Each detail band of a map times 1 + a weight, which starts at zero: the map as it is.

    Args:
        channels: C.
        gate: "cell", weights (B, 3, h, w) in (-1, 1) from the details themselves; or "channel",
            learned weights (C, 3).

    Raises:
        UserError: another gate.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.wavelet_fpn import DetailGate
        >>> gate, x = DetailGate(4), torch.randn(2, 4, 9, 12)
        >>> torch.equal(gate(x), x)
        True
    """

    def __init__(self, channels: int, *, gate: str = "cell") -> None:
        super().__init__()
        choice(gate, GATES, key="gate (MODEL.WAVELETFPN.GATE)")
        self.score = self.weight = None
        if gate == "cell":
            self.score = nn.Conv2d(3 * channels, 3, 1)
            nn.init.zeros_(self.score.weight)
            assert self.score.bias is not None
            nn.init.zeros_(self.score.bias)
        else:
            self.weight = nn.Parameter(torch.zeros(channels, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        low, details = haar_split(x)  # (B, C, h, w), (B, C, 3, h, w)
        if self.score is not None:
            weight = self.score(details.flatten(1, 2)).tanh()[:, None]
        else:
            weight = self.weight
        # what is added has no mean: the low band of the map stays bit for bit
        return x + haar_join(torch.zeros_like(low), weight * details, (x.shape[-2], x.shape[-1]))
