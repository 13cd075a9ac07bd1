"""Lazy twin of detectors.yaml."""

import copy

from d2freq.modeling.detectors.rfp import RFP

from .sac import with_sac


def with_detectors(model):
    """The detector on DetectoRS's backbone: SAC in its ResNet, and RFP in the place of its FPN."""
    model = with_sac(model)
    model.backbone._target_ = RFP
    model.backbone.again = [copy.deepcopy(model.backbone.bottom_up)]
    return model
