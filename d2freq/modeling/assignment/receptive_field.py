"""Theoretical receptive fields of a ResNet with FPN, and anchors of their size (RFLA).

Shape shorthand: L feature maps.
"""

from collections.abc import Sequence
from typing import Any

from detectron2.config import CfgNode, configurable
from detectron2.layers import ShapeSpec
from detectron2.modeling.anchor_generator import (
    ANCHOR_GENERATOR_REGISTRY,
    DefaultAnchorGenerator,
)

from d2freq.errors import UserError
from d2freq.modeling.assignment.config import rfla_keys
from d2freq.modeling.registration import register
from d2freq.utils.own_keys import own_keys
from d2freq.utils.ranges import POSITIVE, check_ranges

__all__ = ["RFLAAnchorGenerator", "receptive_fields"]

# ResNet paper, Table 1: 3x3 convolutions a block, and blocks in res2, res3, res4, res5
RESNETS = {
    18: (2, (2, 2, 2, 2)),
    34: (2, (3, 4, 6, 3)),
    50: (1, (3, 4, 6, 3)),
    101: (1, (3, 4, 23, 3)),
    152: (1, (3, 8, 36, 3)),
}


def receptive_fields(depth: int, levels: Sequence[int]) -> list[int]:
    """Sides of the theoretical receptive fields of pyramid levels, in pixels.

    A k x k convolution on a map of stride s widens the field by (k - 1) s. On the path are the
    stem's 7x7 convolution and 3x3 pooling and the 3x3 convolutions of each block, of which the
    first in res3 to res5 halves the map. The levels have their stage's field: RFLA's numbers
    count no convolution of the FPN up to P5, and from P6 on one of 3x3 at the level's own stride.

    ``receptive_fields(50, range(2, 8))`` is 35, 91, 267, 427, 555, 811.

    Args:
        depth: of the ResNet; 18, 34, 50, 101 or 152.
        levels: any of P2, P3, and so on, as numbers.

    Raises:
        UserError: for another depth, or a level below 2.

    Examples:
        >>> from d2freq.modeling.assignment import receptive_fields
        >>> receptive_fields(50, range(2, 8))
        [35, 91, 267, 427, 555, 811]
    """
    if depth not in RESNETS:
        raise UserError(
            f"receptive fields are known for ResNets of depth {', '.join(map(str, RESNETS))}, not "
            f"{depth}; set MODEL.RFLA.RECEPTIVE_FIELDS to one number a level"
        )
    if any(level < 2 for level in levels):
        raise UserError(f"receptive fields: levels start with P2 (stride 4), got {list(levels)}")
    per_block, blocks = RESNETS[depth]
    field = 1 + (7 - 1) * 1 + (3 - 1) * 2  # 7x7 on the image, pooling 3x3 at stride 2
    stride = 4
    fields: dict[int, int] = {}
    for stage, count in enumerate(blocks, start=2):
        convolutions = per_block * count
        if stage > 2:
            field += (3 - 1) * stride  # reads the finer map
            stride *= 2
            convolutions -= 1
        field += convolutions * (3 - 1) * stride
        fields[stage] = field
    for level in range(6, max(levels, default=5) + 1):
        stride *= 2
        field += (3 - 1) * stride
        fields[level] = field
    return [fields[level] for level in levels]


@register(ANCHOR_GENERATOR_REGISTRY)
class RFLAAnchorGenerator(DefaultAnchorGenerator):
    """Anchors of the effective receptive field: at each cell one area, in several shapes.

    Centred at stride x i with the default offset 0. RFLA matches objects to them and regresses
    boxes from them.

    Args:
        receptive_fields: sides of the theoretical fields, L numbers in pixels.
        aspect_ratios: height / width, as of DefaultAnchorGenerator.
        strides: L strides.
        fraction: effective over theoretical side; RFLA takes 0.5.
        offset: of the first centre from the image's corner, in strides.

    Raises:
        UserError: another number of fields than of strides, or a side or fraction not above 0.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.assignment import RFLAAnchorGenerator
        >>> generator = RFLAAnchorGenerator(
        ...     receptive_fields=[35, 91], aspect_ratios=[[1.0]], strides=[4, 8]
        ... )
        >>> anchors = generator([torch.zeros(1, 8, 16, 16), torch.zeros(1, 8, 8, 8)])
        >>> [len(level) for level in anchors], anchors[0].tensor[0].tolist()
        ([256, 64], [-8.75, -8.75, 8.75, 8.75])
    """

    @configurable
    def __init__(
        self,
        *,
        receptive_fields: Sequence[float],
        aspect_ratios: Sequence[Sequence[float]] | Sequence[float],
        strides: Sequence[int],
        fraction: float = 0.5,
        offset: float = 0.0,
    ) -> None:
        if len(receptive_fields) != len(strides):
            raise UserError(
                f"receptive fields (MODEL.RFLA.RECEPTIVE_FIELDS): {len(receptive_fields)} for "
                f"{len(strides)} feature maps; give one number a map, from high to low resolution"
            )
        check_ranges({"FRACTION": fraction}, {"FRACTION": POSITIVE}, section="MODEL.RFLA")
        for side in receptive_fields:
            check_ranges(
                {"RECEPTIVE_FIELDS": side}, {"RECEPTIVE_FIELDS": POSITIVE}, section="MODEL.RFLA"
            )
        super().__init__(
            sizes=[[fraction * side] for side in receptive_fields],
            aspect_ratios=aspect_ratios,
            strides=strides,
            offset=offset,
        )

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: list[ShapeSpec]) -> dict[str, Any]:
        """Read MODEL.RFLA and MODEL.ANCHOR_GENERATOR, and the strides from ``input_shape``."""
        keys = own_keys(cfg, "MODEL.RFLA", rfla_keys())
        strides = [int(shape.stride) for shape in input_shape]
        return {
            "receptive_fields": keys.RECEPTIVE_FIELDS or _of_resnet(cfg, strides),
            "aspect_ratios": cfg.MODEL.ANCHOR_GENERATOR.ASPECT_RATIOS,
            "strides": strides,
            "fraction": keys.FRACTION,
            "offset": cfg.MODEL.ANCHOR_GENERATOR.OFFSET,
        }


def _of_resnet(cfg: CfgNode, strides: Sequence[int]) -> list[int]:
    name = cfg.MODEL.BACKBONE.NAME
    if "resnet" not in name:
        raise UserError(
            f"the receptive fields of {name} (MODEL.BACKBONE.NAME), which is no ResNet, are not "
            "known; set MODEL.RFLA.RECEPTIVE_FIELDS to one number a level"
        )
    levels = [stride.bit_length() - 1 for stride in strides]
    return receptive_fields(cfg.MODEL.RESNETS.DEPTH, levels)
