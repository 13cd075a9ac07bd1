"""Whole detectors of the field that Detectron2 lacks, or has otherwise."""

from d2freq.modeling.detectors import (
    atss,
    auto_assign,
    cascade_rpn,
    dino,
    fcos,
    grid_rcnn,
    paa,
    rfp,
    sac,
)

__all__ = ["atss", "auto_assign", "cascade_rpn", "dino", "fcos", "grid_rcnn", "paa", "rfp", "sac"]
