"""Mixed query selection: the encoder says where queries begin, learned vectors what they are.

Shapes: N images, C channels, T cells of all levels, Q queries, K classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from d2freq.modeling.detectors.dino.heads import Heads
from d2freq.modeling.detectors.dino.outputs import Predictions
from d2freq.modeling.detectors.dino.tokens import Tokens

__all__ = ["QuerySelection", "proposals_of"]

FINEST_SIDE = 0.05  # of a proposal on the first level, as a share of the image; doubled each level
INSIDE = (0.01, 0.99)  # centre and sides of a proposal that counts
NOTHING = -1e30  # below every logit


def proposals_of(tokens: Tokens) -> tuple[Tensor, Tensor]:
    """The box that each cell proposes: a square of the image's sides about its centre.

    Returns:
        (N, T, 4), logits of normalised (centre x, centre y, width, height), infinite where it
        does not count; and (N, T, 1) bool, whether it counts: not so beyond the image, nor where
        centre or side leave INSIDE, the image's border.
    """
    centres = tokens.centres()
    sides = torch.cat(
        [
            centres.new_full((height * width,), FINEST_SIDE * 2**level)
            for level, (height, width) in enumerate(tokens.shapes)
        ]
    )
    sides = sides[None, :, None].expand(centres.shape[0], -1, 2)
    boxes = torch.cat([centres, sides], dim=-1)
    counts = ((boxes > INSIDE[0]) & (boxes < INSIDE[1])).all(dim=-1, keepdim=True)
    if tokens.padding is not None:
        counts = counts & tokens.padding.logical_not().unsqueeze(-1)
    return (boxes / (1 - boxes)).log().masked_fill(counts.logical_not(), torch.inf), counts


class QuerySelection(nn.Module):
    """The cells with the highest class logits, by the encoder's own heads.

    Cells of the border take part, with a memory of zeros, as in the published codes. Cells beyond
    an image do not, so that what is found on it does not depend on the others of the batch. Where
    an image has fewer than Q cells its last one is selected several times.

    Args:
        channels: C.
        queries: Q.
    """

    def __init__(self, channels: int, *, queries: int) -> None:
        super().__init__()
        self.queries = queries
        self.transform = nn.Linear(channels, channels)
        self.norm = nn.LayerNorm(channels)
        nn.init.xavier_uniform_(self.transform.weight)

    def forward(self, memory: Tensor, tokens: Tokens, heads: Heads) -> Predictions:
        """Q cells of each image, highest first.

        Args:
            memory: (N, T, C), encoded.

        Returns:
            logits (N, Q, K) and boxes (N, Q, 4), with their gradients; the decoder begins with
            these boxes as constants.
        """
        proposals, counts = proposals_of(tokens)
        memory = self.norm(self.transform(memory.masked_fill(counts.logical_not(), 0.0)))
        logits = heads.logits(memory, -1)
        places = self._choose(logits.detach().amax(dim=-1), tokens)
        # boxes of the chosen ones alone: the MLP of all cells would cost as much as a layer
        shift = heads.shift(_take(memory, places), -1)
        return Predictions(_take(logits, places), (shift + _take(proposals, places)).sigmoid())

    def _choose(self, scores: Tensor, tokens: Tokens) -> Tensor:
        """(N, Q) int64, numbers of the cells with the highest scores (N, T)."""
        if tokens.padding is not None:
            scores = scores.masked_fill(tokens.padding, NOTHING)
        found, places = F.pad(scores, [0, self.queries], value=NOTHING).topk(self.queries, dim=1)
        height, width = tokens.shapes[-1]
        own = tokens.counts[:, -1].long()
        first = tokens.memory.shape[1] - height * width
        last = first + (own[:, 1:] - 1) * width + own[:, :1] - 1
        return torch.where(found > NOTHING / 2, places, last)


def _take(values: Tensor, places: Tensor) -> Tensor:
    """(N, T, n) at (N, Q) -> (N, Q, n)."""
    return values.gather(1, places.unsqueeze(-1).expand(-1, -1, values.shape[-1]))
