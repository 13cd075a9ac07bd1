"""Lazy twin of nwd.yaml."""

from detectron2.config import LazyCall as L

from d2freq.modeling.assignment import NWDRPN, RankingAssigner


def with_nwd(model):
    """The two-stage detector, with proposals that learn by NWD-RKA."""
    model.proposal_generator.update(
        _target_=NWDRPN,
        anchor_matcher=L(RankingAssigner)(topk=3, constant=12.7, negative_threshold=0.3),
    )
    return model
