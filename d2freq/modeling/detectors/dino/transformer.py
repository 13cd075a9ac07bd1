"""The transformer of DINO: from the tokens of a pyramid to classes and boxes.

Shapes: N images, C channels, T cells of all levels, Q matching queries, D denoising queries.
"""

import torch
from torch import Tensor, nn

from d2freq.modeling.detectors.dino.decoder import Decoder
from d2freq.modeling.detectors.dino.denoising import Denoising
from d2freq.modeling.detectors.dino.encoder import Encoder
from d2freq.modeling.detectors.dino.heads import Heads
from d2freq.modeling.detectors.dino.layouts import Layout
from d2freq.modeling.detectors.dino.outputs import Outputs
from d2freq.modeling.detectors.dino.query_selection import QuerySelection
from d2freq.modeling.detectors.dino.tokens import Tokens

__all__ = ["Transformer"]


class Transformer(nn.Module):
    """Encoder, query selection and decoder, with the learned vectors that queries begin as.

    Args:
        channels: C.
        classes: K.
        queries: Q.
        levels: of the pyramid.
        layout: see :class:`Layout`.
        enc_layers, dec_layers: layers of encoder and decoder.
        heads, points, ffn, dropout, query_chunk, use_act_checkpoint: of each layer.
    """

    def __init__(
        self,
        channels: int,
        *,
        classes: int,
        queries: int,
        levels: int,
        layout: Layout,
        enc_layers: int = 6,
        dec_layers: int = 6,
        heads: int = 8,
        points: int = 4,
        ffn: int = 2048,
        dropout: float = 0.0,
        query_chunk: int = 0,
        use_act_checkpoint: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(
            channels,
            layers=enc_layers,
            heads=heads,
            levels=levels,
            points=points,
            ffn=ffn,
            dropout=dropout,
            temperature=layout.pe_temperature,
            offset=layout.pe_offset,
            query_chunk=query_chunk,
            use_act_checkpoint=use_act_checkpoint,
        )
        self.selection = QuerySelection(channels, queries=queries)
        self.decoder = Decoder(
            channels,
            layers=dec_layers,
            heads=heads,
            levels=levels,
            points=points,
            ffn=ffn,
            dropout=dropout,
            query_chunk=query_chunk,
            use_act_checkpoint=use_act_checkpoint,
            prediction_eps=layout.prediction_eps,
        )
        self.heads = Heads(channels, classes=classes, layers=dec_layers, shared=layout.shared_heads)
        self.queries = nn.Embedding(queries, channels)
        if layout.content == "xavier":
            nn.init.xavier_uniform_(self.queries.weight)
        self.labels = nn.Embedding(max(layout.label_rows, classes), channels)

    def forward(self, tokens: Tokens, denoising: Denoising | None = None) -> Outputs:
        """What the network says of the images; denoising queries come first.

        Args:
            denoising: in training, noised objects.
        """
        memory = self.encoder(tokens)
        selected = self.selection(memory, tokens, self.heads)
        # a copy: torch's counter of operations takes no view of a parameter
        content = self.queries.weight.repeat(memory.shape[0], 1, 1).to(memory.dtype)
        boxes = selected.boxes.detach()
        hidden = None
        if denoising is not None:
            noised = self.labels(denoising.labels) * denoising.valid.unsqueeze(-1)
            content = torch.cat([noised.to(content.dtype), content], dim=1)
            boxes = torch.cat([denoising.boxes.sigmoid().to(boxes.dtype), boxes], dim=1)
            hidden = denoising.mask
        elif self.training:
            content = content + self._untouched()
        layers = self.decoder(content, boxes, memory, tokens, self.heads, hidden)
        return Outputs(layers=layers, encoder=selected)

    def _untouched(self) -> Tensor:
        """Zero: every process has a gradient for the labels, where one has no objects, too."""
        return 0.0 * self.labels.weight.sum()
