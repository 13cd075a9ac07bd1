"""Losses of the second stage's classification: focal, and weights by class."""

from d2freq.modeling.roi_heads.box_predictor import WeightedOutputLayers
from d2freq.modeling.roi_heads.heads import D2FreqCascadeROIHeads, D2FreqROIHeads

__all__ = ["D2FreqCascadeROIHeads", "D2FreqROIHeads", "WeightedOutputLayers"]
