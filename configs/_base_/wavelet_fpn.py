"""WaveletFPN in the place of a detector's FPN."""

from d2freq.modeling.wavelet_fpn import WaveletFPN


def with_waveletfpn(model):
    """The detector with WaveletFPN.

    Single switches are arguments of its neck: ``model.backbone.gate = "channel"``.
    """
    model.backbone._target_ = WaveletFPN
    return model
