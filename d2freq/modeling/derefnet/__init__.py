"""DeRefNet: deformable refinement network for closely spaced targets in sequences (TGRS 2025)."""

from d2freq.modeling.derefnet.alignment import ConcatGuide, SelectiveAttention, TemporalAlignment
from d2freq.modeling.derefnet.losses import alignment_loss, regression_loss
from d2freq.modeling.derefnet.meta_arch import DeRefNet
from d2freq.modeling.derefnet.network import ResidualFeatures, Tail, Unfolding
from d2freq.modeling.derefnet.switches import PRESETS, Switches
from d2freq.modeling.derefnet.time_encoding import AffineTime, LinearTime
from d2freq.modeling.derefnet.translation import TranslationAlignment

__all__ = [
    "PRESETS",
    "AffineTime",
    "ConcatGuide",
    "DeRefNet",
    "LinearTime",
    "ResidualFeatures",
    "SelectiveAttention",
    "Switches",
    "Tail",
    "TemporalAlignment",
    "TranslationAlignment",
    "Unfolding",
    "alignment_loss",
    "regression_loss",
]
