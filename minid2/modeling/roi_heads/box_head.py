"""The layers between a pooled region and its prediction.

Shapes: N regions, C channels, S x S bins.
"""

from collections.abc import Callable, Sequence
from typing import Any

from fvcore.common.registry import Registry
from fvcore.nn import weight_init
from torch import nn

from ...config import CfgNode, configurable
from ...layers import Conv2d, ShapeSpec, get_norm

ROI_BOX_HEAD_REGISTRY = Registry("ROI_BOX_HEAD")
"""Box heads by name. An entry is called with the config and the shape of a pooled region, and
returns a module from (N, C, S, S) to a feature a region, with an `output_shape`."""


def build_box_head(cfg: CfgNode, input_shape: ShapeSpec) -> nn.Module:
    """Build `MODEL.ROI_BOX_HEAD.NAME` for regions of `input_shape`."""
    return ROI_BOX_HEAD_REGISTRY.get(cfg.MODEL.ROI_BOX_HEAD.NAME)(cfg, input_shape)


def conv_tower(width: int, conv_dims: Sequence[int], norm: str | Callable) -> list[Conv2d]:
    """3x3 convolutions in a row, from ``width`` channels on, each with norm (or bias) and ReLU."""
    return [
        Conv2d(
            before,
            dim,
            kernel_size=3,
            padding=1,
            bias=not norm,
            norm=get_norm(norm, dim),
            activation=nn.ReLU(),
        )
        for before, dim in zip([width, *conv_dims], conv_dims, strict=False)
    ]


@ROI_BOX_HEAD_REGISTRY.register()
class FastRCNNConvFCHead(nn.Sequential):
    """3x3 convolutions, each with norm and ReLU, then fully connected layers with ReLU.

    ``conv_dims`` are the channels of the former, ``fc_dims`` the widths of the latter. Takes
    (N, C, S, S), gives (N, width), or (N, width, S, S) without fully connected layers.
    """

    @configurable
    def __init__(
        self,
        input_shape: ShapeSpec,
        *,
        conv_dims: Sequence[int],
        fc_dims: Sequence[int],
        conv_norm: str | Callable = "",
    ) -> None:
        super().__init__()
        if not conv_dims and not fc_dims:
            raise ValueError(
                "the box head has no layers: set MODEL.ROI_BOX_HEAD.NUM_CONV or NUM_FC above 0"
            )
        assert input_shape.channels is not None
        width = input_shape.channels
        for number, block in enumerate(conv_tower(width, conv_dims, conv_norm), start=1):
            self.add_module(f"conv{number}", block)
            width = block.out_channels
        self._output = ShapeSpec(channels=width, height=input_shape.height, width=input_shape.width)
        if fc_dims:
            self.add_module("flatten", nn.Flatten())
            width *= (input_shape.height or 1) * (input_shape.width or 1)
            for number, dim in enumerate(fc_dims, start=1):
                self.add_module(f"fc{number}", nn.Linear(width, dim))
                self.add_module(f"fc_relu{number}", nn.ReLU())
                width = dim
            self._output = ShapeSpec(channels=width)
        # After all are built: the order of random draws decides the weights of a seed.
        for layer in self.children():
            if isinstance(layer, nn.Conv2d):
                weight_init.c2_msra_fill(layer)
            elif isinstance(layer, nn.Linear):
                weight_init.c2_xavier_fill(layer)

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: ShapeSpec) -> dict[str, Any]:
        keys = cfg.MODEL.ROI_BOX_HEAD
        return {
            "input_shape": input_shape,
            "conv_dims": [keys.CONV_DIM] * keys.NUM_CONV,
            "fc_dims": [keys.FC_DIM] * keys.NUM_FC,
            "conv_norm": keys.NORM,
        }

    @property
    def output_shape(self) -> ShapeSpec:
        """Shape of the feature of one region."""
        return self._output
