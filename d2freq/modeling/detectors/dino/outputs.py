"""What the network says of a batch, for the losses and for inference.

Shapes: N images, D denoising queries (0 in inference), Q matching queries, K classes.
"""

from typing import NamedTuple

from torch import Tensor

__all__ = ["Outputs", "Predictions"]


class Predictions(NamedTuple):
    """Of one layer.

    Attributes:
        logits: (N, D + Q, K), of each class; denoising queries come first.
        boxes: (N, D + Q, 4) float32, normalised (centre x, centre y, width, height), each 0 to 1.
    """

    logits: Tensor
    boxes: Tensor


class Outputs(NamedTuple):
    """Of the whole network.

    Attributes:
        layers: of each decoder layer, the last one's is what inference takes.
        encoder: of the Q tokens that were selected as queries, so (N, Q, ...), without denoising.
    """

    layers: list[Predictions]
    encoder: Predictions
