"""Label assignment of proposals: MaxIoU, DotD, NWD-RKA and RFLA, each as a proposal generator."""

from d2freq.modeling.assignment.dotd import DotDAssigner
from d2freq.modeling.assignment.lean import LeanFCOS, LeanRetinaNet, LeanRPN, lean
from d2freq.modeling.assignment.max_iou import MaxIoUAssigner
from d2freq.modeling.assignment.nwd import RankingAssigner
from d2freq.modeling.assignment.proposal_generator import (
    NWDRPN,
    RFLARPN,
    AssignedRPN,
    DotDRPN,
    MaxIoURPN,
)
from d2freq.modeling.assignment.receptive_field import RFLAAnchorGenerator, receptive_fields
from d2freq.modeling.assignment.rfla import HierarchicalAssigner

__all__ = [
    "NWDRPN",
    "RFLARPN",
    "AssignedRPN",
    "DotDAssigner",
    "DotDRPN",
    "HierarchicalAssigner",
    "LeanFCOS",
    "LeanRPN",
    "LeanRetinaNet",
    "MaxIoUAssigner",
    "MaxIoURPN",
    "RFLAAnchorGenerator",
    "RankingAssigner",
    "lean",
    "receptive_fields",
]
