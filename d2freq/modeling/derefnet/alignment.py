"""Temporal deformable feature alignment, TDFA (DeRefNet, section 4.4, Eqs. 18 to 21).

Shape shorthand: B trajectories, T frames, F centre frames, 2N neighbours of each, M = B*F*2N pairs,
C channels, g x g grid.
"""

import torch
from torch import Tensor, nn

from d2freq.modeling.derefnet.guides import GUIDES
from d2freq.modeling.derefnet.layers import conv3x3
from d2freq.modeling.derefnet.sampling import deformable_convolution
from d2freq.modeling.derefnet.windows import neighbour_pairs

__all__ = ["DeformableAlignment", "TemporalAlignment"]


class DeformableAlignment(nn.Module):
    """A 3 x 3 convolution that reads where learned offsets point (Eqs. 19 to 21), without mask.

    The offsets start at zero, so that it starts as a plain convolution. It trains on the CPU too,
    unlike detectron2.layers.DeformConv. 14,418 parameters at 32 channels.
    """

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, channels, 3, 3))
        self.offset = conv3x3(channels, 2 * 9, scale=0.0)  # row and column at each of 9 taps
        nn.init.kaiming_uniform_(self.weight, nonlinearity="relu")

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:
        """Sample ``x`` where ``guide`` points to.

        Args:
            x: (M, C, g, g).
            guide: (M, C, g, g), what the offsets are read from.

        Returns:
            (M, C, g, g) float32 also inside autocast: 8 bits are too few for a place on the grid.
        """
        offset = self.offset(guide)
        with torch.autocast(x.device.type, enabled=False):
            return deformable_convolution(x.float(), offset.float(), self.weight.float())


class TemporalAlignment(nn.Module):
    """Brings every neighbour of every centre frame to that centre, all pairs in one pass.

    One alignment (the paper): offsets from the guide. Two (the published code, as in TDAN): then a
    second one whose offsets come from the first one's own output.
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
        self.features = conv3x3(1, channels)
        self.guide = GUIDES[guide](channels)
        self.alignments = nn.ModuleList(DeformableAlignment(channels) for _ in range(alignments))
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
