"""Temporal deformable feature alignment, TDFA (DeRefNet, section 4.4, Eqs. 18 to 21).

Shape shorthand: B trajectories, T frames, F centre frames, 2N neighbours of each, M = B*F*2N pairs,
C channels, g x g grid.
"""

import torch
from torch import Tensor, nn

from d2freq.modeling.derefnet.guides import GUIDES
from d2freq.modeling.derefnet.windows import neighbour_pairs
from d2freq.modeling.unmixing.blocks import relu_conv3x3
from d2freq.modeling.unmixing.deformable import DeformConv

__all__ = ["TemporalAlignment"]


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
