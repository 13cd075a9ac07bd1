"""Evaluation of tiny-object detectors: protocols as data, guarded input, fast counting."""

from d2freq.evaluation.cso_evaluator import CSOEvaluator
from d2freq.evaluation.guard import DetectionError
from d2freq.evaluation.protocols import PROTOCOLS, AreaRange, Protocol, get_protocol, register
from d2freq.evaluation.tiny_coco import TinyCOCOEvaluator
from d2freq.evaluation.topk_evaluator import TopKEvaluator

__all__ = [
    "PROTOCOLS",
    "AreaRange",
    "CSOEvaluator",
    "DetectionError",
    "Protocol",
    "TinyCOCOEvaluator",
    "TopKEvaluator",
    "get_protocol",
    "register",
]
