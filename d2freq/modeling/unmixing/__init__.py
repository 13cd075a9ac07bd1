"""Unmixing of closely spaced targets: what DeRefNet and the methods beside it share, and those."""

from d2freq.modeling.unmixing.base import UnmixingModel
from d2freq.modeling.unmixing.methods.fista_net import FISTANet
from d2freq.modeling.unmixing.methods.ista_net import ISTANet, ISTANetPlus
from d2freq.modeling.unmixing.methods.lista import LISTA
from d2freq.modeling.unmixing.methods.super_resolution import EDSR, ESPCN, SRCNN
from d2freq.modeling.unmixing.methods.tdan import TDAN
from d2freq.modeling.unmixing.methods.training_free import FISTA, ISTA, LeastSquares
from d2freq.modeling.unmixing.stages import IstaNetStage

__all__ = [
    "EDSR",
    "ESPCN",
    "FISTA",
    "ISTA",
    "LISTA",
    "SRCNN",
    "TDAN",
    "FISTANet",
    "ISTANet",
    "ISTANetPlus",
    "IstaNetStage",
    "LeastSquares",
    "UnmixingModel",
]
