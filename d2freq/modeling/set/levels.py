"""Which levels of the backbone SET works on."""

import logging
from collections.abc import Sequence
from typing import Any

from d2freq.errors import UserError

__all__ = ["chosen_levels"]

# attributes by which Detectron2's heads say what levels they read
HEAD_LEVELS = (
    *("head_in_features", "in_features", "box_in_features"),
    *("mask_in_features", "keypoint_in_features"),
)
logger = logging.getLogger(__name__)


def chosen_levels(detector: Any, in_features: Sequence[str] | None) -> list[str]:
    """The levels that MODEL.SET.IN_FEATURES names; without any, all that the heads read.

    A level that is chosen but not read is said in the log.

    Raises:
        UserError: no list, a level that the backbone lacks, or one named twice.
    """
    backbone = list(detector.backbone.output_shape())
    read = _read_by_heads(detector, backbone)
    if not in_features:
        return read
    if isinstance(in_features, str):
        raise UserError(f"MODEL.SET.IN_FEATURES is {in_features!r}: write a list of levels")
    levels = list(in_features)
    unknown = [level for level in levels if level not in backbone]
    if unknown:
        raise UserError(
            f"MODEL.SET.IN_FEATURES: the backbone has no {', '.join(map(str, unknown))}; it has "
            f"{', '.join(backbone)}"
        )
    if len(set(levels)) < len(levels):
        raise UserError(f"MODEL.SET.IN_FEATURES has a level twice: {', '.join(levels)}")
    if idle := [level for level in levels if level not in read]:
        logger.warning(
            "MODEL.SET.IN_FEATURES: no head reads %s, so that their blocks have no gradient; "
            "DistributedDataParallel stops at such parameters",
            ", ".join(idle),
        )
    return levels


def _read_by_heads(detector: Any, backbone: list[str]) -> list[str]:
    """The backbone's levels that a head reads, so that no smoothing is left without gradient."""
    heads = [detector, getattr(detector, "proposal_generator", None)]
    heads.append(getattr(detector, "roi_heads", None))
    read: set[str] = set()
    for head in heads:
        for name in HEAD_LEVELS:
            read.update(getattr(head, name, None) or ())
    return [level for level in backbone if level in read] if read else backbone
