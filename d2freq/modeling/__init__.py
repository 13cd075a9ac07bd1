"""Models of d2freq; importing the package registers them with the host."""

from d2freq.modeling import (
    assignment,
    backbones,
    classification,
    derefnet,
    detectors,
    fft_fpn,
    frequency_input,
    hs_fpn,
    roi_heads,
    set,
    unmixing,
    wavelet_fpn,
)

__all__ = [
    "assignment",
    "backbones",
    "classification",
    "derefnet",
    "detectors",
    "fft_fpn",
    "frequency_input",
    "hs_fpn",
    "roi_heads",
    "set",
    "unmixing",
    "wavelet_fpn",
]
