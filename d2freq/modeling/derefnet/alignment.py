"""Temporal deformable feature alignment, TDFA (DeRefNet, section 4.4, Eqs. 18 to 21).

All windows of all trajectories are aligned at once: first which frame meets which, then the guide
that the offsets of the deformable convolution are read from, then the alignment itself. A guide
does what it can once for each frame, not once for each pair.

Shape shorthand: B trajectories, T frames, N neighbours on either side, F = T - 2N centre frames,
M = B*F*2N pairs of a centre and a neighbour, in the order trajectory, centre, time; C channels,
g x g grid.
"""

import torch
from torch import Tensor, nn

from d2freq.modeling.unmixing.blocks import relu_conv3x3
from d2freq.modeling.unmixing.deformable import DeformConv

__all__ = [
    "ConcatGuide",
    "GUIDES",
    "SelectiveAttention",
    "TemporalAlignment",
    "neighbour_frames",
    "neighbour_pairs",
]


def neighbour_frames(frames: int, neighbours: int, device: torch.device | None = None) -> Tensor:
    """(F, 2N) int64: the frames around each centre frame N .. T-1-N, without itself.

    With five frames a window: frame 2 has 0, 1, 3, 4; frame 3 has 1, 2, 4, 5; and so on.
    """
    offsets = torch.arange(-neighbours, neighbours + 1, device=device)
    centres = torch.arange(neighbours, frames - neighbours, device=device)
    return centres[:, None] + offsets[offsets != 0]


def neighbour_pairs(centre: Tensor, other: Tensor, neighbours: int) -> tuple[Tensor, Tensor]:
    """The centre's and the neighbour's map of every pair.

    Args:
        centre: (B, T, C, g, g), read at the centre frame.
        other: (B, T, C', g, g), read at the neighbour.
        neighbours: N.

    Returns:
        (M, C, g, g) and (M, C', g, g).
    """
    frames = neighbour_frames(centre.shape[1], neighbours, centre.device)
    middles = centre[:, neighbours : centre.shape[1] - neighbours, None]
    repeated = middles.expand(-1, -1, frames.shape[1], -1, -1, -1)
    return repeated.flatten(0, 2), other[:, frames].flatten(0, 2)


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


class TemporalAlignment(nn.Module):
    """Brings every neighbour of every centre frame to that centre, all pairs in one pass.

    One alignment (the paper): offsets from the guide. Two (the published code, as in TDAN): then a
    second one whose offsets come from the first one's own output.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.derefnet import TemporalAlignment
        >>> alignment = TemporalAlignment(channels=4, neighbours=2)
        >>> tuple(alignment(torch.randn(1, 7, 1, 6, 6)).shape)  # of each centre 4 neighbours
        (1, 3, 4, 6, 6)
    """

    def __init__(
        self,
        channels: int = 32,
        *,
        neighbours: int = 2,
        guide: str = "attention",
        alignments: int = 2,
    ) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.features = relu_conv3x3(1, channels)
        self.guide = GUIDES[guide](channels)
        self.alignments = nn.ModuleList(DeformConv(channels) for _ in range(alignments))
        self.project = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, encoded: Tensor) -> Tensor:
        """Aligned maps H'' of the neighbours.

        Args:
            encoded: (B, T, 1, g, g), H' of every frame.

        Returns:
            (B, F, 2N, g, g), in temporal order.
        """
        batch, count = encoded.shape[:2]
        features = torch.relu(self.features(encoded.flatten(0, 1))).unflatten(0, (batch, count))
        guide = self.guide(features, self.neighbours)
        # the features of the centre itself are not read: only the guide knows of it
        _, aligned = neighbour_pairs(features[:, :, :0], features, self.neighbours)
        for alignment in self.alignments:
            aligned = alignment(aligned, guide)
            guide = aligned
        centres, around = count - 2 * self.neighbours, 2 * self.neighbours
        return self.project(aligned).reshape(batch, centres, around, *encoded.shape[-2:])
