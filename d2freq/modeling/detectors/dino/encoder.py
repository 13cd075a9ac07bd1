"""DINO's encoder: every cell of the pyramid looks at a few places of all levels.

Shapes: N images, C channels, L levels, T cells of all levels.
"""

import torch
from torch import Tensor, nn

from d2freq.modeling.detectors.dino.deformable_attention import DeformableAttention
from d2freq.modeling.detectors.dino.encodings import encode_cells
from d2freq.modeling.detectors.dino.layers import FeedForward, run
from d2freq.modeling.detectors.dino.tokens import Tokens

__all__ = ["Encoder", "EncoderLayer"]


class EncoderLayer(nn.Module):
    """Deformable attention of the cells to each other, and a feed-forward network."""

    def __init__(
        self,
        channels: int,
        *,
        heads: int,
        levels: int,
        points: int,
        ffn: int,
        dropout: float = 0.0,
        query_chunk: int = 0,
    ) -> None:
        super().__init__()
        self.attention = DeformableAttention(
            channels, heads=heads, levels=levels, points=points, query_chunk=query_chunk
        )
        self.feed_forward = FeedForward(channels, ffn, dropout=dropout)
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        positions: Tensor,
        references: Tensor,
        shapes: list[tuple[int, int]],
        padding: Tensor | None,
    ) -> Tensor:
        """(N, T, C) -> (N, T, C); see :class:`DeformableAttention` for the others."""
        found = self.attention(x + positions, references, x, shapes, padding)
        x = self.norm1(x + self.dropout(found))
        return self.norm2(x + self.dropout(self.feed_forward(x)))


class Encoder(nn.Module):
    """Layers behind each other, with no norm behind the last one.

    Args:
        channels, heads, points, ffn, dropout, query_chunk: of each layer.
        layers: how many.
        levels: L.
        temperature, offset: of the sine encoding, see :func:`encode_cells`.
        use_act_checkpoint: in training a layer keeps its inputs alone.
    """

    def __init__(
        self,
        channels: int,
        *,
        layers: int,
        heads: int,
        levels: int,
        points: int,
        ffn: int,
        dropout: float = 0.0,
        temperature: float = 20.0,
        offset: float = 0.0,
        query_chunk: int = 0,
        use_act_checkpoint: bool = False,
    ) -> None:
        super().__init__()
        self.temperature, self.offset = temperature, offset
        self.use_act_checkpoint = use_act_checkpoint
        self.level_embedding = nn.Parameter(torch.empty(levels, channels).normal_())
        self.layers = nn.ModuleList(
            EncoderLayer(
                channels,
                heads=heads,
                levels=levels,
                points=points,
                ffn=ffn,
                dropout=dropout,
                query_chunk=query_chunk,
            )
            for _ in range(layers)
        )

    def forward(self, tokens: Tokens) -> Tensor:
        """The tokens' memory (N, T, C), encoded."""
        x = tokens.memory
        positions = self._positions(tokens).to(x.dtype)
        references = tokens.centres()[:, :, None] * tokens.ratios[:, None]  # (N, T, L, 2)
        keep = self.use_act_checkpoint and self.training
        for layer in self.layers:
            inputs = (x, positions, references, tokens.shapes, tokens.padding)
            x = run(layer, *inputs, keep_inputs_alone=keep)
        return x

    def _positions(self, tokens: Tokens) -> Tensor:
        """(N, T, C): where a cell lies within its image, and on which level."""
        channels = tokens.memory.shape[-1]
        found = []
        for level, shape in enumerate(tokens.shapes):
            place = encode_cells(
                tokens.counts[:, level],
                shape,
                channels,
                temperature=self.temperature,
                offset=self.offset,
            )
            found.append(place + self.level_embedding[level])
        return torch.cat(found, dim=1)
