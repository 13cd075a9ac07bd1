"""Prediction heads: the class and the box of a query, for each decoder layer and the encoder.

Shapes: N images, Q queries, C channels, K classes.
"""

import math

from torch import Tensor, nn

from d2freq.modeling.detectors.dino.layers import MLP, at_least_float

__all__ = ["Heads"]

PRIOR_PROB = 0.01  # of every class at the start, as in all of RetinaNet's family


class Heads(nn.Module):
    """A linear layer for classes and an MLP for boxes, each layer's own or one for all.

    Args:
        channels: C.
        classes: K.
        layers: of the decoder.
        shared: True: one pair for all decoder layers and one for the encoder, as the original has
            it. False: ``layers`` + 1 pairs, the last one for the encoder.
    """

    def __init__(self, channels: int, *, classes: int, layers: int, shared: bool) -> None:
        super().__init__()
        self.decoder_layers, self.shared = layers, shared
        pairs = 2 if shared else layers + 1
        self.classes = nn.ModuleList(nn.Linear(channels, classes) for _ in range(pairs))
        self.boxes = nn.ModuleList(MLP(channels, channels, channels, 4) for _ in range(pairs))
        for layer in self.classes:
            assert isinstance(layer, nn.Linear)
            nn.init.constant_(layer.bias, -math.log((1 - PRIOR_PROB) / PRIOR_PROB))
        for mlp in self.boxes:
            assert isinstance(mlp, MLP)
            last = mlp.layers[-1]
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)  # so a query begins as the box that it was selected by
            nn.init.zeros_(last.bias)

    def logits(self, x: Tensor, layer: int) -> Tensor:
        """Class logits (N, Q, K) float of decoder layer ``layer``, or of the encoder for -1."""
        return at_least_float(self.classes[self._place(layer)](x))

    def shift(self, x: Tensor, layer: int) -> Tensor:
        """By how much (N, Q, 4) a box moves in logit space; layers are those of ``logits``."""
        return at_least_float(self.boxes[self._place(layer)](x))

    def _place(self, layer: int) -> int:
        if layer < 0:
            return -1
        return 0 if self.shared else layer
