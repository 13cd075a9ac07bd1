"""Evaluation of tiny-object detectors: protocols as data, guarded input, fast counting."""

from typing import TYPE_CHECKING

from d2freq.evaluation.coco.guard import DetectionError
from d2freq.evaluation.protocols import (
    PROTOCOLS,
    AreaRange,
    Protocol,
    TargetRule,
    get_protocol,
    register,
)
from d2freq.utils.late import exported_from

if TYPE_CHECKING:
    from d2freq.evaluation.coco.evaluator import TinyCOCOEvaluator
    from d2freq.evaluation.cso.evaluator import CSOEvaluator
    from d2freq.evaluation.infrared.evaluator import InfraredEvaluator
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

# files of results are read and measured without torch, which these four need
__getattr__ = exported_from(
    __name__,
    {
        "CSOEvaluator": "d2freq.evaluation.cso.evaluator",
        "InfraredEvaluator": "d2freq.evaluation.infrared.evaluator",
        "TinyCOCOEvaluator": "d2freq.evaluation.coco.evaluator",
        "TopKEvaluator": "d2freq.evaluation.topk",
    },
)
