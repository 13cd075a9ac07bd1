"""The maps that a dense detector's head reads, from the names in its config."""

from collections.abc import Sequence

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling.backbone import Backbone

from d2freq.errors import UserError

__all__ = ["asked_levels"]


def asked_levels(
    cfg: CfgNode, backbone: Backbone, names: Sequence[str], *, key: str
) -> list[ShapeSpec]:
    """Shapes of the maps that a head asks for.

    Args:
        cfg: names the backbone in messages.
        backbone: that one, built.
        names: the maps.
        key: node of the config: "MODEL.ATSS".

    Raises:
        UserError: none is asked for, or the backbone does not give one of them.
    """
    shapes = backbone.output_shape()
    if not names:
        raise UserError(f"{key}.IN_FEATURES is empty; name some of {', '.join(shapes)}")
    missing = [name for name in names if name not in shapes]
    if missing:
        raise UserError(
            f"{key}.IN_FEATURES asks for {', '.join(missing)}; "
            f"{cfg.MODEL.BACKBONE.NAME} gives {', '.join(shapes)}"
        )
    return [shapes[name] for name in names]
