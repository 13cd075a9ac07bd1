"""Configuration keys of WaveletFPN."""

from detectron2.config import CfgNode as CN

from d2freq.modeling.wavelet_fpn.switches import Switches

__all__ = ["waveletfpn_keys"]


def waveletfpn_keys() -> CN:
    """MODEL.WAVELETFPN: the neck WaveletFPN; the keys of MODEL.FPN hold too.

    PRESET sets every switch of :class:`Switches`; a switch that is not None overrides it.
    """
    return Switches.keys()
