"""Anchors that Cascade RPN can take: one a cell, centred on it, as large as the stride asks."""

from typing import Any

from torch import Tensor

from d2freq.errors import UserError

__all__ = ["check_anchors", "side_of"]


def check_anchors(generator: Any) -> None:
    """Raise UserError for anchors that the method cannot take.

    These are several a cell, another offset than 0, and sides that do not grow as strides do.
    """
    counts = list(generator.num_anchors)
    if set(counts) != {1}:
        raise UserError(
            f"CascadeRPN takes one anchor a cell, and the levels have {counts}: give "
            "MODEL.ANCHOR_GENERATOR one size a level and one ratio, as SIZES [[8], [16], [32], "
            "[64], [128]] and ASPECT_RATIOS [[1.0]]"
        )
    if generator.offset != 0:
        raise UserError(
            f"MODEL.ANCHOR_GENERATOR.OFFSET: CascadeRPN's anchors are centred at stride x column, "
            f"got {generator.offset}; set 0.0"
        )
    cells = [cell[0] for cell in generator.cell_anchors]
    if cells[0].is_meta:  # counted, not run
        return
    sides = [side_of(cell) for cell in cells]
    strides = list(generator.strides)
    ratios = [side / stride for side, stride in zip(sides, strides, strict=True)]
    doubles = strides == [strides[0] * 2**level for level in range(len(strides))]
    if not doubles or max(ratios) > min(ratios) * 1.001:
        raise UserError(
            f"CascadeRPN: anchors of {', '.join(f'{side:g}' for side in sides)} pixels at strides "
            f"{', '.join(map(str, strides))}; sides have to be in proportion to the strides, which "
            "double from level to level: set MODEL.ANCHOR_GENERATOR.SIZES, as [[8], [16], [32], "
            "[64], [128]] for P2 to P6"
        )


def side_of(box: Tensor) -> float:
    """Root of the area of a box (4,)."""
    return float(((box[2] - box[0]) * (box[3] - box[1])).sqrt())
