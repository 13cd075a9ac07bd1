"""In what the three published codes of DINO differ, so that weights of each fit a model of its own.

Where a code's AI-TOD config is its Swin one or none, the layout is that of its COCO R-50 models.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

from d2freq.errors import UserError
from d2freq.utils.choices import choice

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


def resolve_layout(name: str, **changes: Any) -> Layout:
    """The layout of that name, with ``changes`` that are not None on top.

    Raises:
        UserError: there is none of this name, or a temperature is not above 0.
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
    if not layout.pe_temperature > 0:
        raise UserError(
            f"MODEL.DINO.PE_TEMPERATURE is {layout.pe_temperature}: wave lengths grow up to it, so "
            "give a number above 0"
        )
    return layout
