"""Lazy twin of scale_8.yaml."""


def with_scale_8(model):
    """The two-stage detector, with anchors of 8 x the stride of their level in three ratios."""
    proposals = model.proposal_generator
    proposals.anchor_generator.sizes = [[32], [64], [128], [256], [512]]
    proposals.anchor_generator.aspect_ratios = [0.5, 1.0, 2.0]
    proposals.head.num_anchors = 3
    return model
