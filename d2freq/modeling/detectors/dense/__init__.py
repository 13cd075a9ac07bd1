"""What ATSS, PAA and AutoAssign share: one prior at each cell, three predictions for it."""

from d2freq.modeling.detectors.dense.detector import CellDetector
from d2freq.modeling.detectors.dense.head import ScaledHead

__all__ = ["CellDetector", "ScaledHead"]
