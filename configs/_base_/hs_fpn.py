"""HS-FPN in the place of a detector's FPN."""

from d2freq.modeling.hs_fpn import HSFPN


def with_hsfpn(model, preset="paper"):
    """The detector with HS-FPN, by the ``preset`` "paper", "released" or "d2freq".

    Single switches are arguments of its neck: ``model.backbone.alpha = 0.5``.
    """
    model.backbone._target_ = HSFPN
    model.backbone.preset = preset
    return model
