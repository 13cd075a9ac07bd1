"""WaveletFPN: FPN whose laterals pass a Haar wavelet with gated details."""

from d2freq.modeling.wavelet_fpn.builders import (
    build_mobilenetv2_waveletfpn_backbone,
    build_resnet_waveletfpn_backbone,
    build_retinanet_resnet_waveletfpn_backbone,
)
from d2freq.modeling.wavelet_fpn.detail_gate import DetailGate
from d2freq.modeling.wavelet_fpn.neck import WaveletFPN
from d2freq.modeling.wavelet_fpn.switches import Switches

__all__ = [
    "WaveletFPN",
    "DetailGate",
    "Switches",
    "build_mobilenetv2_waveletfpn_backbone",
    "build_resnet_waveletfpn_backbone",
    "build_retinanet_resnet_waveletfpn_backbone",
]
