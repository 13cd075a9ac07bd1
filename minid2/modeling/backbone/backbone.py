"""What every backbone promises: a dict of feature maps, and what padding it needs."""

from abc import ABC, abstractmethod

import torch
from torch import nn

from ...layers import ShapeSpec


class Backbone(nn.Module, ABC):
    """Abstract network from an image batch to named feature maps.

    A subclass sets ``_out_features`` (names, in order), ``_out_feature_channels`` and
    ``_out_feature_strides`` (dicts by name), or overrides ``output_shape``.
    """

    _out_features: list[str]
    _out_feature_channels: dict[str, int]
    _out_feature_strides: dict[str, int]

    def __init__(self):
        super().__init__()

    @abstractmethod
    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Map (N, 3, H, W) to feature maps by name, each (N, C, H / stride, W / stride)."""

    @property
    def size_divisibility(self) -> int:
        """H and W must be multiples of it; 0 where any size will do."""
        return 0

    @property
    def padding_constraints(self) -> dict[str, int]:
        """Finer demands on padding, as ``ImageList.from_tensors`` takes them."""
        return {}

    def output_shape(self) -> dict[str, ShapeSpec]:
        """Channels and stride of each feature map, by name."""
        channels, strides = self._out_feature_channels, self._out_feature_strides
        return {
            name: ShapeSpec(channels=channels[name], stride=strides[name])
            for name in self._out_features
        }
