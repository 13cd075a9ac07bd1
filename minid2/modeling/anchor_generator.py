"""Anchors: boxes of fixed sizes and shapes at every position of every feature map.

Shapes: L feature maps, H_i x W_i one of them, A_i anchors at each of its positions.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from fvcore.common.registry import Registry
from torch import nn

from ..config import CfgNode, configurable
from ..layers import ShapeSpec
from ..structures import Boxes

ANCHOR_GENERATOR_REGISTRY = Registry("ANCHOR_GENERATOR")
"""Modules that make anchors: each is called as ``generator(cfg, input_shape)`` with a list of
``ShapeSpec``, one a feature map."""


class BufferList(nn.Module):
    """A list of tensors that moves with its module and stays out of the state dict."""

    def __init__(self, buffers: Sequence[torch.Tensor]):
        super().__init__()
        for index, buffer in enumerate(buffers):
            self.register_buffer(str(index), buffer, persistent=False)

    def __iter__(self) -> Iterator[torch.Tensor]:
        return self.buffers(recurse=False)


def _per_feature(values: Sequence, num_features: int, name: str) -> list[Sequence[float]]:
    """One list of numbers a feature map, out of one list for all of them or one each."""
    if not isinstance(values[0], Sequence):
        values = [values]
    if len(values) not in (1, num_features):
        raise ValueError(f"anchor {name} has {len(values)} lists for {num_features} feature maps")
    return list(values) * (num_features if len(values) == 1 else 1)


@ANCHOR_GENERATOR_REGISTRY.register()
class DefaultAnchorGenerator(nn.Module):
    """Anchors of every size with every aspect ratio, as in Faster R-CNN."""

    box_dim = 4

    @configurable
    def __init__(
        self,
        *,
        sizes: Sequence[Sequence[float]] | Sequence[float],
        aspect_ratios: Sequence[Sequence[float]] | Sequence[float],
        strides: Sequence[int],
        offset: float = 0.5,
    ):
        """Make the anchors of one position of each feature map.

        Args:
            sizes: square roots of the anchors' areas, in pixels; a list for all feature maps, or
                a list of lists, one a feature map.
            aspect_ratios, strides: height / width, listed likewise; L strides.
            offset: where the first anchor is centred, in strides from the image's corner, [0, 1).

        Raises:
            ValueError: for lists that do not fit the feature maps, or another offset.
        """
        super().__init__()
        if not 0.0 <= offset < 1.0:
            raise ValueError(f"anchor offset lies in [0, 1), got {offset}")
        self.strides = strides
        self.num_features = len(strides)
        self.offset = offset
        sizes = _per_feature(sizes, self.num_features, "sizes")
        ratios = _per_feature(aspect_ratios, self.num_features, "aspect_ratios")
        self.cell_anchors = BufferList(
            [self.generate_cell_anchors(*cell) for cell in zip(sizes, ratios, strict=True)]
        )

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: list[ShapeSpec]) -> dict[str, Any]:
        """Read MODEL.ANCHOR_GENERATOR, and the strides from ``input_shape``."""
        keys = cfg.MODEL.ANCHOR_GENERATOR
        return {
            "sizes": keys.SIZES,
            "aspect_ratios": keys.ASPECT_RATIOS,
            "strides": [shape.stride for shape in input_shape],
            "offset": keys.OFFSET,
        }

    @property
    def num_anchors(self) -> list[int]:
        """A_i of each feature map."""
        return [len(cell) for cell in self.cell_anchors]

    def generate_cell_anchors(
        self,
        sizes: Sequence[float] = (32, 64, 128, 256, 512),
        aspect_ratios: Sequence[float] = (0.5, 1, 2),
    ) -> torch.Tensor:
        """Anchors around the origin, (len(sizes) * len(aspect_ratios), 4), XYXY.

        All ratios of the first size come first.
        """
        corners = []
        for size in sizes:
            for ratio in aspect_ratios:
                # From area = size^2 and ratio = height / width.
                width = math.sqrt(size**2.0 / ratio)
                height = ratio * width
                corners.append([-width / 2, -height / 2, width / 2, height / 2])
        return torch.tensor(corners)

    def forward(self, features: list[torch.Tensor]) -> list[Boxes]:
        """Make all anchors for L maps (N, C, H_i, W_i), on their device.

        Returns:
            L Boxes of H_i * W_i * A_i float32 anchors: row by row, and at each position the A_i.
        """
        anchors = []
        for feature, stride, cell in zip(features, self.strides, self.cell_anchors, strict=True):
            cell = cell.to(feature.device)
            y, x = (
                torch.arange(length, dtype=cell.dtype, device=cell.device) * stride
                + self.offset * stride
                for length in feature.shape[-2:]
            )
            y, x = torch.meshgrid(y, x, indexing="ij")
            centres = torch.stack([x, y, x, y], dim=-1).reshape(-1, 1, 4)
            anchors.append(Boxes((centres + cell).reshape(-1, 4)))
        return anchors


def permute_to_N_HWA_K(tensor: torch.Tensor, K: int) -> torch.Tensor:
    """Predictions (B, A * K, H, W) as (B, H * W * A, K): in the order in which anchors come."""
    return tensor.permute(0, 2, 3, 1).reshape(tensor.shape[0], -1, K)


def build_anchor_generator(cfg: CfgNode, input_shape: list[ShapeSpec]) -> nn.Module:
    """Build the generator that MODEL.ANCHOR_GENERATOR.NAME names, for these feature maps."""
    return ANCHOR_GENERATOR_REGISTRY.get(cfg.MODEL.ANCHOR_GENERATOR.NAME)(cfg, input_shape)
