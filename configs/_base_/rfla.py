"""Lazy twin of rfla.yaml."""

from detectron2.config import LazyCall as L

from d2freq.modeling.assignment import RFLARPN, HierarchicalAssigner, RFLAAnchorGenerator


def with_rfla(model):
    """The two-stage detector, with proposals that learn by RFLA, in its own shapes of anchors.

    The longer warm-up is a config's: ``lr_multiplier.warmup_length = 5000 / train.max_iter``.
    """
    anchors = model.proposal_generator.anchor_generator
    model.proposal_generator.update(
        _target_=RFLARPN,
        anchor_matcher=L(HierarchicalAssigner)(
            metric="kl", topk=[3, 1], shrink_ratio=0.9, negative_threshold=0.8
        ),
        anchor_generator=L(RFLAAnchorGenerator)(
            receptive_fields=[35, 91, 267, 427, 555],  # of ResNet-50
            aspect_ratios=anchors.aspect_ratios,
            strides=anchors.strides,
            fraction=0.5,
            offset=anchors.offset,
        ),
    )
    return model
