"""Protocols of tiny-object benchmarks as data: areas, limits, overlaps, what is ignored."""

# each registers its own
from d2freq.evaluation.protocols import (  # noqa: F401
    aitod,
    coco,
    irstd,
    soda_d,
    tinyperson,
    visdrone,
)
from d2freq.evaluation.protocols.protocol import (
    COCO_THRESHOLDS,
    OLRP_IOU,
    AreaRange,
    IgnoreRule,
    Protocol,
    TargetRule,
)
from d2freq.evaluation.protocols.registry import PROTOCOLS, get_protocol, register

__all__ = [
    "COCO_THRESHOLDS",
    "OLRP_IOU",
    "PROTOCOLS",
    "AreaRange",
    "IgnoreRule",
    "Protocol",
    "TargetRule",
    "get_protocol",
    "register",
]
