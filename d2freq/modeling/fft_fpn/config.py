"""Configuration keys of FFTFPN."""

from detectron2.config import CfgNode as CN

from d2freq.modeling.fft_fpn.switches import Switches

__all__ = ["fftfpn_keys"]


def fftfpn_keys() -> CN:
    """MODEL.FFTFPN: the neck FFTFPN; the keys of MODEL.FPN hold too.

    PRESET sets every switch of :class:`Switches`; a switch that is not None overrides it.
    """
    return Switches.keys()
