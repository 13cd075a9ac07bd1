"""Lazy twin of nwd.yaml: what differs in model.proposal_generator."""

from detectron2.config import LazyCall as L

from d2freq.modeling.assignment import NWDRPN, RankingAssigner

proposal_generator = dict(
    _target_=NWDRPN,
    anchor_matcher=L(RankingAssigner)(topk=3, constant=12.7, negative_threshold=0.3),
)
