"""Lazy twin of paa_R18_FPN.yaml: PAA on the backbone, anchors and head of ATSS."""

from d2freq.modeling.detectors.paa import PAA

from .atss_R18_FPN import model

model._target_ = PAA
