"""The tail that turns a centre frame and its aligned neighbours into one grid (DeRefNet, Fig. 4).

Shape shorthand: M windows, W frames of each, C channels, g x g grid.
"""

import torch
from torch import Tensor, nn

from d2freq.modeling.unmixing.blocks import relu_conv3x3, residual_blocks

__all__ = ["Tail"]


class Tail(nn.Module):
    """Convolution, residual blocks, convolution to one channel; no skip around it, no clamp."""

    def __init__(self, frames: int = 5, channels: int = 32, blocks: int = 5) -> None:
        super().__init__()
        self.stem = relu_conv3x3(frames, channels)
        self.blocks = residual_blocks(channels, blocks)
        self.head = nn.Conv2d(channels, 1, 3, padding=1, bias=False)

    def forward(self, window: Tensor) -> Tensor:
        """(M, W, g, g) in temporal order -> (M, g, g) float32 in grey levels.

        The head runs in float32 also inside autocast: with 16 bits many cells of a frame, and many
        frames, would share a score.
        """
        x = self.blocks(torch.relu(self.stem(window)))
        with torch.autocast(x.device.type, enabled=False):
            return self.head(x.float()).squeeze(1)
