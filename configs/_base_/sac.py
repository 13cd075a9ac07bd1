"""Lazy twin of sac.yaml."""

from d2freq.modeling.detectors.sac import SACResNet


def with_sac(model):
    """The detector with SAC and standardised weights in its ResNet; ``with_hsfpn`` goes on top."""
    model.backbone.bottom_up._target_ = SACResNet
    return model
