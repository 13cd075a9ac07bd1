"""What the offsets of the deformable alignment are read from: a centre and a neighbour frame.

Shape shorthand: B trajectories, T frames, F centre frames, 2N neighbours of each, M = B*F*2N pairs,
C channels, g x g grid. A guide does what it can once a frame, not once a pair.
"""

import torch
from torch import Tensor, nn

from d2freq.modeling.derefnet.windows import neighbour_pairs

__all__ = ["GUIDES", "ConcatGuide", "SelectiveAttention"]


class SelectiveAttention(nn.Module):
    """DeRefNet, Eq. 18: both frames at half of the channels, weighted by what they have in common.

    The mean and the maximum over both frames' channels give, through a convolution and a sigmoid,
    a weight a cell each: that of the mean goes to the centre, that of the maximum to the neighbour.
    The text says so of the reduced maps, the figure of the original ones; this is the text, as
    published. 1,094 parameters at 32 channels.
    """

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        self.reduce_centre = nn.Conv2d(channels, channels // 2, 1)
        self.reduce_neighbour = nn.Conv2d(channels, channels // 2, 1)
        self.score = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, features: Tensor, neighbours: int) -> Tensor:
        """(B, T, C, g, g) features of all frames -> (M, C, g, g), F_agg of every pair."""
        shape, flat = features.shape[:2], features.flatten(0, 1)
        centre = self.reduce_centre(flat).unflatten(0, shape)
        other = self.reduce_neighbour(flat).unflatten(0, shape)
        mean, other_mean = neighbour_pairs(_mean(centre), _mean(other), neighbours)
        peak, other_peak = neighbour_pairs(_peak(centre), _peak(other), neighbours)
        pooled = torch.cat([(mean + other_mean) / 2, torch.maximum(peak, other_peak)], dim=1)
        weights = torch.sigmoid(self.score(pooled))
        centre, other = neighbour_pairs(centre, other, neighbours)
        return torch.cat([centre * weights[:, :1], other * weights[:, 1:]], dim=1)


class ConcatGuide(nn.Module):
    """Without attention, as in TDAN: a 3 x 3 convolution of both frames' features, 2C to C."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        self.mix = nn.Conv2d(2 * channels, channels, 3, padding=1)

    def forward(self, features: Tensor, neighbours: int) -> Tensor:
        """(B, T, C, g, g) features of all frames -> (M, C, g, g)."""
        return self.mix(torch.cat(neighbour_pairs(features, features, neighbours), dim=1))


GUIDES = {"attention": SelectiveAttention, "concat": ConcatGuide}


def _mean(maps: Tensor) -> Tensor:
    return maps.mean(dim=2, keepdim=True)


def _peak(maps: Tensor) -> Tensor:
    return maps.amax(dim=2, keepdim=True)
