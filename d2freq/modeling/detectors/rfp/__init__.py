"""RFP, the recursive feature pyramid of DetectoRS."""

from d2freq.modeling.detectors.rfp.aspp import ASPP
from d2freq.modeling.detectors.rfp.builders import build_detectors_backbone
from d2freq.modeling.detectors.rfp.neck import RFP

__all__ = ["ASPP", "RFP", "build_detectors_backbone"]
