"""PAA (Kim and Lee, ECCV 2020): anchors whose losses look like those of the good ones."""

from d2freq.modeling.detectors.paa.assignment import choose_positives
from d2freq.modeling.detectors.paa.meta_arch import PAA
from d2freq.modeling.detectors.paa.mixture import foreground_of_mixture
from d2freq.modeling.detectors.paa.voting import vote

__all__ = ["PAA", "choose_positives", "foreground_of_mixture", "vote"]
