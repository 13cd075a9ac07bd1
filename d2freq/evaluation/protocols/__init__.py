"""Protocols of tiny-object benchmarks as data: areas, limits, overlaps, what is ignored."""

from d2freq.evaluation.protocols.benchmarks import PROTOCOLS, get_protocol, register
from d2freq.evaluation.protocols.protocol import (
    COCO_THRESHOLDS,
    OLRP_IOU,
    AreaRange,
    IgnoreRule,
    Protocol,
    TargetRule,
)

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
