"""Evaluation of tiny-object detectors: protocols as data, guarded input, fast counting."""

from d2freq.evaluation.coco.evaluator import TinyCOCOEvaluator
from d2freq.evaluation.coco.guard import DetectionError
from d2freq.evaluation.cso.evaluator import CSOEvaluator
from d2freq.evaluation.infrared.evaluator import InfraredEvaluator
from d2freq.evaluation.protocols import (
    PROTOCOLS,
    AreaRange,
    Protocol,
    TargetRule,
    get_protocol,
    register,
)
from d2freq.evaluation.topk import TopKEvaluator

__all__ = [
    "PROTOCOLS",
    "AreaRange",
    "CSOEvaluator",
    "DetectionError",
    "InfraredEvaluator",
    "Protocol",
    "TargetRule",
    "TinyCOCOEvaluator",
    "TopKEvaluator",
    "get_protocol",
    "register",
]
