"""Whole detectors of the field that Detectron2 lacks, or has otherwise."""

from d2freq.modeling.detectors import fcos

__all__ = ["fcos"]
