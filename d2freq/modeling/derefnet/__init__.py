"""DeRefNet: deformable refinement network for closely spaced targets in sequences (TGRS 2025)."""

from d2freq.modeling.derefnet.alignment import TemporalAlignment
from d2freq.modeling.derefnet.guides import ConcatGuide, SelectiveAttention
from d2freq.modeling.derefnet.losses import alignment_loss, regression_loss
from d2freq.modeling.derefnet.meta_arch import DeRefNet
from d2freq.modeling.derefnet.presets import PRESETS, Switches, resolve_switches
from d2freq.modeling.derefnet.tail import Tail
from d2freq.modeling.derefnet.time_encoding import AffineTime, LinearTime
from d2freq.modeling.derefnet.unfolding import Unfolding

__all__ = [
    "PRESETS",
    "AffineTime",
    "ConcatGuide",
    "DeRefNet",
    "LinearTime",
    "SelectiveAttention",
    "Switches",
    "Tail",
    "TemporalAlignment",
    "Unfolding",
    "alignment_loss",
    "regression_loss",
    "resolve_switches",
]
