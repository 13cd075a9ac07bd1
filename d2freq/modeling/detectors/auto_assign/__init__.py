"""AutoAssign (Zhu et al., 2020): every point inside an object is its own to a degree."""

from d2freq.modeling.detectors.auto_assign.center_prior import CenterPrior
from d2freq.modeling.detectors.auto_assign.meta_arch import AutoAssign

__all__ = ["AutoAssign", "CenterPrior"]
