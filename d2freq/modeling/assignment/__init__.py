"""Label assignment for tiny objects: NWD-RKA and RFLA, each as a proposal generator."""

from d2freq.modeling.assignment.nwd import RankingAssigner
from d2freq.modeling.assignment.proposal_generator import NWDRPN, RFLARPN, AssignedRPN
from d2freq.modeling.assignment.receptive_field import RFLAAnchorGenerator, receptive_fields
from d2freq.modeling.assignment.rfla import HierarchicalAssigner

__all__ = [
    "NWDRPN",
    "RFLARPN",
    "AssignedRPN",
    "HierarchicalAssigner",
    "RFLAAnchorGenerator",
    "RankingAssigner",
    "receptive_fields",
]
