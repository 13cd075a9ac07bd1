"""A trained model on a person's own pictures: sources, tiles, merging, engines, outputs, report."""

from typing import TYPE_CHECKING

from d2freq.utils.late import exported_from

if TYPE_CHECKING:
    from d2freq.inference.detections import Detections, GeoReference, Picture, PictureResult
    from d2freq.inference.detector import Detector

__all__ = ["Detections", "Detector", "GeoReference", "Picture", "PictureResult"]

# what only reads or draws results needs neither a model nor torch
__getattr__ = exported_from(
    __name__,
    {
        "Detections": "d2freq.inference.detections",
        "Detector": "d2freq.inference.detector",
        "GeoReference": "d2freq.inference.detections",
        "Picture": "d2freq.inference.detections",
        "PictureResult": "d2freq.inference.detections",
    },
)
