"""Lazy twin of rfla.yaml: what differs in model.proposal_generator; a config sets the warm-up."""

from detectron2.config import LazyCall as L

from d2freq.modeling.assignment import RFLARPN, HierarchicalAssigner, RFLAAnchorGenerator

proposal_generator = dict(
    _target_=RFLARPN,
    anchor_matcher=L(HierarchicalAssigner)(
        metric="kl", topk=[3, 1], shrink_ratio=0.9, negative_threshold=0.8
    ),
    anchor_generator=L(RFLAAnchorGenerator)(
        receptive_fields=[35, 91, 267, 427, 555],
        aspect_ratios=[0.33, 0.5, 1.0, 2.0, 3.0],
        strides=[4, 8, 16, 32, 64],
        fraction=0.5,
        offset=0.0,
    ),
)
