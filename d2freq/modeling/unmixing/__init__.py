"""Unmixing of closely spaced targets: what DeRefNet and the methods beside it share, and those."""

from d2freq.modeling.unmixing.base import UnmixingModel
from d2freq.modeling.unmixing.edsr import EDSR
from d2freq.modeling.unmixing.espcn import ESPCN
from d2freq.modeling.unmixing.fista import FISTA
from d2freq.modeling.unmixing.fista_net import FISTANet
from d2freq.modeling.unmixing.ista import ISTA
from d2freq.modeling.unmixing.ista_net import ISTANet
from d2freq.modeling.unmixing.ista_net_plus import ISTANetPlus
from d2freq.modeling.unmixing.least_squares import LeastSquares
from d2freq.modeling.unmixing.lista import LISTA
from d2freq.modeling.unmixing.srcnn import SRCNN
from d2freq.modeling.unmixing.stages import IstaNetStage
from d2freq.modeling.unmixing.tdan import TDAN

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
