"""Pooling of regions from one or several feature maps.

Shapes: N images, C channels, L pyramid levels, M regions over all images, P x Q the output.
"""

import math
from collections.abc import Sequence

import torch
from torch import nn
from torchvision.ops import RoIPool

from ..layers import ROIAlign, cat, nonzero_tuple
from ..structures import Boxes

__all__ = ["ROIPooler", "assign_boxes_to_levels", "convert_boxes_to_pooler_format"]


def assign_boxes_to_levels(
    box_lists: list[Boxes],
    min_level: int,
    max_level: int,
    canonical_box_size: int,
    canonical_level: int,
) -> torch.Tensor:
    """Choose the pyramid level of each box by its size.

    Args:
        box_lists: N Boxes.
        min_level: log2 of the finest stride.
        max_level: log2 of the coarsest stride.
        canonical_box_size: square root of the area of a box that belongs to ``canonical_level``;
            a box of twice that size belongs one level higher.
        canonical_level: log2 of a stride.

    Returns:
        (M,) int64 in [0, max_level - min_level].
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
            canonical_box_size: see ``assign_boxes_to_levels``.
            canonical_level: see ``assign_boxes_to_levels``; 4 is stride 16.

        Raises:
            ValueError: for arguments that break these rules.
            NotImplementedError: for "ROIAlignRotated".
        """
        super().__init__()
        size = (output_size,) * 2 if isinstance(output_size, int) else tuple(output_size)
        if len(size) != 2 or not all(isinstance(side, int) for side in size):
            raise ValueError(f"output_size of ROIPooler is one or two integers, got {output_size}")
        if canonical_box_size <= 0:
            raise ValueError(f"canonical_box_size has to be positive, got {canonical_box_size}")
        levels = [-math.log2(scale) for scale in scales]
        if not levels or any(abs(level - round(level)) > 1e-6 for level in levels):
            raise ValueError(f"ROIPooler takes scales 1 / 2^k, got {list(scales)}")
        self.min_level, self.max_level = round(levels[0]), round(levels[-1])
        if [round(level) for level in levels] != list(range(self.min_level, self.max_level + 1)):
            raise ValueError(f"each scale of ROIPooler is half the one before, got {list(scales)}")
        if self.min_level < 0:
            raise ValueError(f"ROIPooler takes scales of at most 1, got {list(scales)}")
        self.output_size = size
        self.level_poolers = nn.ModuleList(
            _make_pooler(pooler_type, size, scale, sampling_ratio) for scale in scales
        )
        self.canonical_level = canonical_level
        self.canonical_box_size = canonical_box_size

    def forward(self, x: list[torch.Tensor], box_lists: list[Boxes]) -> torch.Tensor:
        """Pool.

        Args:
            x: L maps (N, C, H_i, W_i), in the order of ``scales``.
            box_lists: N Boxes in pixels of the images.

        Returns:
            (M, C, P, Q) in the order of the boxes; (0, C, P, Q) without any.

        Raises:
            ValueError: if the numbers of maps or images do not fit.
        """
        if not isinstance(x, list) or not isinstance(box_lists, list):
            raise ValueError("ROIPooler takes a list of feature maps and a list of Boxes")
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
        crops, places = [], []
        for level, (feature, pooler) in enumerate(zip(x, self.level_poolers, strict=True)):
            (place,) = nonzero_tuple(levels == level)
            places.append(place)
            crops.append(pooler(feature, regions[place]))
        pooled = torch.cat(crops)
        # Level by level, back to box by box.
        return torch.empty_like(pooled).index_copy(0, torch.cat(places), pooled)


def _make_pooler(kind: str, size: tuple[int, int], scale: float, sampling_ratio: int) -> nn.Module:
    if kind in ("ROIAlign", "ROIAlignV2"):
        return ROIAlign(
            size, spatial_scale=scale, sampling_ratio=sampling_ratio, aligned=kind == "ROIAlignV2"
        )
    if kind == "ROIPool":
        return RoIPool(size, spatial_scale=scale)
    if kind == "ROIAlignRotated":
        raise NotImplementedError(
            "POOLER_TYPE ROIAlignRotated: minid2 has no rotated boxes; install Detectron2 for them"
        )
    raise ValueError(f"unknown POOLER_TYPE {kind!r}; choose ROIAlignV2, ROIAlign or ROIPool")
