"""Unmixing of closely spaced targets: what DeRefNet and the methods beside it share."""

from d2freq.modeling.unmixing.base import UnmixingModel
from d2freq.modeling.unmixing.stages import IstaNetStage

__all__ = ["IstaNetStage", "UnmixingModel"]
