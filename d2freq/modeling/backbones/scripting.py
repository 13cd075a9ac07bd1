"""Backbones inside a detector that Detectron2's ``scripting_with_instances`` compiles.

TorchScript compiles the detector's Python. That of d2freq's backbones is beyond it (images of a
batch taken by their extents, matrices cached by size), but their graphs are made to be traced with
sizes as symbols. So a backbone takes part as its trace, which torch asks for by the method
``__prepare_scriptable__``, as Detectron2's own backbones do.
"""

import warnings
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["TracedBackbone"]

STRIDES = 2


class TracedBackbone(nn.Module):
    """The trace of a backbone, with what a detector asks of a backbone.

    Its graph takes images of any size that the backbone takes, and, as under
    ``TracingAdapter``, a padded batch as one. It stays on the device it was traced on.

    Args:
        backbone: makes a dict of maps of images (B, C, H, W); in evaluation mode.
        channels: C of the images.
        strides: sides of the example that is traced, in units of the coarsest stride.

    Attributes:
        size_divisibility, padding_constraints: the backbone's.
    """

    size_divisibility: int
    padding_constraints: dict[str, int]

    def __init__(self, backbone: Any, *, channels: int = 3, strides: int = STRIDES) -> None:
        super().__init__()
        self.size_divisibility = int(backbone.size_divisibility)
        self.padding_constraints = dict(backbone.padding_constraints)
        side = strides * max(shape.stride for shape in backbone.output_shape().values())
        weight = next(backbone.parameters())
        example = torch.zeros(1, channels, side, side, dtype=weight.dtype, device=weight.device)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of the tracer: sizes as symbols are what is meant
            # not strict: the trace returns a dict
            self.graph = torch.jit.trace(backbone, example, strict=False, check_trace=False)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(B, C, H, W) -> the backbone's maps by their names."""
        return self.graph(x)
