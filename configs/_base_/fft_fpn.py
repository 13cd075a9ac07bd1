"""FFTFPN in the place of a detector's FPN."""

from d2freq.modeling.fft_fpn import FFTFPN


def with_fftfpn(model):
    """The detector with FFTFPN.

    Single switches are arguments of its neck: ``model.backbone.bands = 4``.
    """
    model.backbone._target_ = FFTFPN
    return model
