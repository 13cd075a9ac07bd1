"""A trained model on a person's own pictures: sources, tiles, merging, engines, outputs, report."""

from typing import TYPE_CHECKING, Any

from d2freq.inference.detections import Detections, GeoReference, Picture, PictureResult

if TYPE_CHECKING:
    from d2freq.inference.detector import Detector

__all__ = ["Detections", "Detector", "GeoReference", "Picture", "PictureResult"]


def __getattr__(name: str) -> Any:
    # what only reads or draws results needs neither a model nor torch
    if name == "Detector":
        from d2freq.inference.detector import Detector

        return Detector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
