"""Pooling of regions from one or several feature maps.

Shapes: N images, C channels, L pyramid levels, M regions over all images, P x Q the output.
"""

import math
from collections.abc import Sequence

import torch
from torch import nn
from torchvision.ops import RoIPool

from ..layers import ROIAlign, cat
from ..structures import Boxes


def assign_boxes_to_levels(
    box_lists: list[Boxes],
    min_level: int,
    max_level: int,
    canonical_box_size: int,
    canonical_level: int,
) -> torch.Tensor:
    """Choose the pyramid level of each box by its size.

    Args:
        min_level, max_level: log2 of the finest and of the coarsest stride.
        canonical_box_size: square root of the area of a box that belongs to ``canonical_level``;
            a box of twice that size belongs one level higher.
        canonical_level: log2 of a stride.

    Returns (M,) int64 in [0, max_level - min_level] for the boxes of N images.
    """
    sizes = cat([boxes.area() for boxes in box_lists]).sqrt()
    # 1e-8: a box of exactly a power of two stays above the border, and log2 has no zero.
    levels = torch.floor(canonical_level + torch.log2(sizes / canonical_box_size + 1e-8))
    return levels.clamp(min=min_level, max=max_level).to(torch.int64) - min_level


def convert_boxes_to_pooler_format(box_lists: list[Boxes]) -> torch.Tensor:
    """Boxes of N images as one (M, 5) matrix: image index, then XYXY."""
    rows = [
        torch.cat([torch.full_like(boxes.tensor[:, :1], index), boxes.tensor], dim=1)
        for index, boxes in enumerate(box_lists)
    ]
    return cat(rows)


class ROIPooler(nn.Module):
    """Pools each region from the pyramid level that fits its size."""

    def __init__(
        self,
        output_size: int | Sequence[int],
        scales: Sequence[float],
        sampling_ratio: int,
        pooler_type: str,
        canonical_box_size: int = 224,
        canonical_level: int = 4,
    ):
        """Build one pooling operator a level.

        Args:
            output_size: (P, Q), or one number for both.
            scales: 1 / stride of each level, finest first, each half the one before; strides are
                powers of two.
            sampling_ratio: see ``ROIAlign``.
            pooler_type: "ROIAlignV2" (aligned), "ROIAlign" (the first version) or "ROIPool".
            canonical_box_size, canonical_level: see ``assign_boxes_to_levels``.

        Raises:
            ValueError: for scales that break this rule, or another type.
        """
        super().__init__()
        height, width = (output_size,) * 2 if isinstance(output_size, int) else output_size
        levels = [-math.log2(scale) for scale in scales]
        self.min_level, self.max_level = int(levels[0]), int(levels[-1])
        if levels != list(range(self.min_level, self.max_level + 1)):
            raise ValueError(f"ROIPooler takes scales 1 / 2^k, each half the last, got {scales}")
        self.output_size = (height, width)
        self.level_poolers = nn.ModuleList(
            _make_pooler(pooler_type, self.output_size, scale, sampling_ratio) for scale in scales
        )
        self.canonical_level = canonical_level
        self.canonical_box_size = canonical_box_size

    def forward(self, x: list[torch.Tensor], box_lists: list[Boxes]) -> torch.Tensor:
        """Pool from L maps (N, C, H_i, W_i) the N Boxes, in pixels of the images.

        Returns:
            (M, C, P, Q) in the order of the boxes; (0, C, P, Q) without any.
        """
        if len(x) != len(self.level_poolers):
            raise ValueError(f"ROIPooler has {len(self.level_poolers)} levels, got {len(x)} maps")
        if len(box_lists) != len(x[0]):
            raise ValueError(f"got Boxes of {len(box_lists)} images for {len(x[0])} in the maps")
        if not box_lists:
            return x[0].new_zeros((0, x[0].shape[1], *self.output_size))
        regions = convert_boxes_to_pooler_format(box_lists)
        if len(x) == 1:
            return self.level_poolers[0](x[0], regions)
        levels = assign_boxes_to_levels(
            box_lists, self.min_level, self.max_level, self.canonical_box_size, self.canonical_level
        )
        pooled = x[0].new_empty((regions.shape[0], x[0].shape[1], *self.output_size))
        for level, (feature, pooler) in enumerate(zip(x, self.level_poolers, strict=True)):
            place = torch.nonzero(levels == level).flatten()
            pooled.index_copy_(0, place, pooler(feature, regions[place]))
        return pooled


def _make_pooler(kind: str, size: tuple[int, int], scale: float, sampling_ratio: int) -> nn.Module:
    if kind in ("ROIAlign", "ROIAlignV2"):
        return ROIAlign(size, scale, sampling_ratio, aligned=kind == "ROIAlignV2")
    if kind == "ROIPool":
        return RoIPool(size, spatial_scale=scale)
    raise ValueError(f"unknown POOLER_TYPE {kind!r}; choose ROIAlignV2, ROIAlign or ROIPool")
