"""In what the three published codes of DINO differ, so that weights of each fit a model of its own.

Where a code's AI-TOD config is its Swin one or none, the layout is that of its COCO R-50 models.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

from d2freq.errors import UserError
from d2freq.utils.choices import choice
from d2freq.utils.ranges import ANY, FROM_ZERO, POSITIVE, check_ranges

__all__ = ["LAYOUTS", "Layout", "resolve_layout"]


@dataclass(frozen=True)
class Layout:
    """One code's network, as far as it is its own.

    Attributes:
        neck_bias: whether convolutions of the channel mapper have a bias.
        shared_heads: one pair of heads for all decoder layers, and one for the encoder; or a pair
            each.
        label_rows: rows of the table of noised labels at least; it has one a class in any case.
        pe_temperature, pe_offset: of the cells' sine encoding.
        content: "normal" | "xavier", how the queries' learned vectors start.
        prediction_eps: of the logit of the box that a prediction is an offset to.
    """

    neck_bias: bool
    shared_heads: bool
    label_rows: int
    pe_temperature: float
    pe_offset: float
    content: str
    prediction_eps: float


LAYOUTS = {
    "mmdet": Layout(
        neck_bias=False,
        shared_heads=False,
        label_rows=0,
        pe_temperature=20.0,
        pe_offset=0.0,
        content="xavier",
        prediction_eps=1e-5,
    ),
    "detrex": Layout(
        neck_bias=True,
        shared_heads=False,
        label_rows=0,
        pe_temperature=10000.0,
        pe_offset=-0.5,
        content="normal",
        prediction_eps=1e-3,
    ),
    "original": Layout(
        neck_bias=True,
        shared_heads=True,
        label_rows=92,  # COCO's numbers up to 90, the 0, and one more
        pe_temperature=20.0,
        pe_offset=0.0,
        content="normal",
        prediction_eps=1e-3,
    ),
}

RANGES = {"LABEL_ROWS": FROM_ZERO, "PE_TEMPERATURE": POSITIVE, "PE_OFFSET": ANY}


def resolve_layout(name: str, **changes: Any) -> Layout:
    """The layout of that name, with ``changes`` that are not None on top.

    Raises:
        UserError: there is none of this name, or a value is out of its range.
        TypeError: it has no such field.

    Examples:
        >>> from d2freq.modeling.detectors.dino import resolve_layout
        >>> resolve_layout("original", label_rows=9).label_rows
        9
    """
    choice(name, LAYOUTS, key="layout (MODEL.DINO.LAYOUT)")
    known = {field.name for field in fields(Layout)}
    given = {key: value for key, value in changes.items() if value is not None or key not in known}
    layout = replace(LAYOUTS[name], **given)
    numbers = {key.upper(): value for key, value in vars(layout).items()}
    check_ranges(numbers, RANGES, section="MODEL.DINO")
    for key in ("shared_heads", "neck_bias"):
        value = getattr(layout, key)
        if not isinstance(value, bool):
            raise UserError(
                f"MODEL.DINO.{key.upper()}: got {value!r}; give True, False, or None for the "
                "layout's"
            )
    return layout
