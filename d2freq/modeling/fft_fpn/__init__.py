"""FFTFPN: FPN whose laterals pass a filter by radial bands of the Fourier plane."""

from d2freq.modeling.fft_fpn.builders import (
    build_mobilenetv2_fftfpn_backbone,
    build_resnet_fftfpn_backbone,
    build_retinanet_resnet_fftfpn_backbone,
)
from d2freq.modeling.fft_fpn.neck import FFTFPN
from d2freq.modeling.fft_fpn.radial_gate import RadialGate
from d2freq.modeling.fft_fpn.switches import Switches

__all__ = [
    "FFTFPN",
    "RadialGate",
    "Switches",
    "build_mobilenetv2_fftfpn_backbone",
    "build_resnet_fftfpn_backbone",
    "build_retinanet_resnet_fftfpn_backbone",
]
