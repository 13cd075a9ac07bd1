"""DINO's decoder: queries look at each other and at the encoded cells, and move their boxes.

Shapes: N images, C channels, L levels, T cells of all levels, Q queries of both kinds, K classes.
"""

from typing import Any

from torch import Tensor, nn

from d2freq.modeling.detectors.dino.boxes import inverse_sigmoid
from d2freq.modeling.detectors.dino.deformable_attention import DeformableAttention
from d2freq.modeling.detectors.dino.encodings import encode_boxes
from d2freq.modeling.detectors.dino.heads import Heads
from d2freq.modeling.detectors.dino.layers import MLP, FeedForward, SelfAttention, run
from d2freq.modeling.detectors.dino.outputs import Predictions
from d2freq.modeling.detectors.dino.tokens import Tokens

__all__ = ["Decoder", "DecoderLayer"]

REFINEMENT_EPS = 1e-3  # of the logit of a reference, in all published codes


class DecoderLayer(nn.Module):
    """Self-attention, deformable attention to the memory, and a feed-forward network."""

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
        self.self_attention = SelfAttention(channels, heads=heads, dropout=dropout)
        self.attention = DeformableAttention(
            channels, heads=heads, levels=levels, points=points, query_chunk=query_chunk
        )
        self.feed_forward = FeedForward(channels, ffn, dropout=dropout)
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.norm3 = nn.LayerNorm(channels)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        positions: Tensor,
        references: Tensor,
        memory: Tensor,
        tokens: Tokens,
        hidden: Tensor | None,
    ) -> Tensor:
        """Queries (N, Q, C) -> (N, Q, C).

        Args:
            positions: (N, Q, C), added where queries look.
            references: (N, Q, L, 4), boxes as shares of each map and its padding.
            memory: (N, T, C), encoded.
            hidden: (Q, Q) bool, see :class:`SelfAttention`.
        """
        x = self.norm1(x + self.dropout(self.self_attention(x, positions, hidden)))
        found = self.attention(x + positions, references, memory, tokens.shapes, tokens.padding)
        x = self.norm2(x + self.dropout(found))
        return self.norm3(x + self.dropout(self.feed_forward(x)))


class Decoder(nn.Module):
    """Layers that refine boxes one after the other, and look forward twice.

    Args:
        channels, layers, heads, levels, points, ffn, dropout, query_chunk, use_act_checkpoint: see
            :class:`Encoder`.
        prediction_eps: of the logit of the box that a prediction is an offset to.
    """

    def __init__(
        self,
        channels: int,
        *,
        layers: int,
        prediction_eps: float = 1e-3,
        use_act_checkpoint: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        self.prediction_eps = prediction_eps
        self.use_act_checkpoint = use_act_checkpoint
        self.layers = nn.ModuleList(DecoderLayer(channels, **options) for _ in range(layers))
        self.position = MLP(2 * channels, channels, channels)
        self.norm = nn.LayerNorm(channels)
        for layer in self.position.layers:
            assert isinstance(layer, nn.Linear)
            nn.init.xavier_uniform_(layer.weight)

    def forward(
        self,
        content: Tensor,
        boxes: Tensor,
        memory: Tensor,
        tokens: Tokens,
        heads: Heads,
        hidden: Tensor | None = None,
    ) -> list[Predictions]:
        """Predictions of each layer.

        A box that a layer predicts is an offset to what the layer before made of its own input,
        with gradient: so the loss of a layer teaches the layer before it, too, and no one else.

        Args:
            content: (N, Q, C), the queries.
            boxes: (N, Q, 4), where they begin, normalised; constants.
            hidden: (Q, Q) bool, see :class:`SelfAttention`.
        """
        x = content
        known = boxes  # where this layer's queries stand, without gradient
        before = boxes  # the same with the gradient of the layer before
        keep = self.use_act_checkpoint and self.training
        found = []
        for number, layer in enumerate(self.layers):
            # Published codes encode the box as a share of the padded batch here. As a share of
            # the image it is the same for an image alone, and does not depend on its neighbours.
            encoded = encode_boxes(known, content.shape[-1] // 2).to(content.dtype)
            references = known[:, :, None] * tokens.ratios.repeat(1, 1, 2)[:, None]
            inputs = (x, self.position(encoded), references, memory, tokens, hidden)
            x = run(layer, *inputs, keep_inputs_alone=keep)
            normed = self.norm(x)
            shift = heads.shift(normed, number) + inverse_sigmoid(before, self.prediction_eps)
            found.append(Predictions(heads.logits(normed, number), shift.sigmoid()))
            if number + 1 < len(self.layers):
                before = (heads.shift(x, number) + inverse_sigmoid(known, REFINEMENT_EPS)).sigmoid()
                known = before.detach()
        return found
