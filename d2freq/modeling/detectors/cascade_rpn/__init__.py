"""Cascade RPN: proposals in two stages, the second one aligned with the first one's boxes."""

from d2freq.modeling.detectors.cascade_rpn.adaptive import AdaptiveConv, adaptive_offsets
from d2freq.modeling.detectors.cascade_rpn.head import CascadeRPNHead
from d2freq.modeling.detectors.cascade_rpn.proposal_generator import CascadeRPN
from d2freq.modeling.detectors.cascade_rpn.regions import RegionAssigner

__all__ = ["AdaptiveConv", "CascadeRPN", "CascadeRPNHead", "RegionAssigner", "adaptive_offsets"]
