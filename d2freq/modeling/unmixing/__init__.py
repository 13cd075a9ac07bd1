"""Unmixing of closely spaced targets: what DeRefNet and the methods beside it share, and those."""

from d2freq.modeling.unmixing.base import UnmixingModel
from d2freq.modeling.unmixing.methods.adversarial.models import BSRGAN, ESRGAN, SRGAN
from d2freq.modeling.unmixing.methods.dbpn import DBPN
from d2freq.modeling.unmixing.methods.dista_net import DISTANet
from d2freq.modeling.unmixing.methods.fista_net import FISTANet
from d2freq.modeling.unmixing.methods.gmfn import GMFN
from d2freq.modeling.unmixing.methods.ista_net import ISTANet, ISTANetPlus
from d2freq.modeling.unmixing.methods.ista_net_plus_plus import ISTANetPlusPlus
from d2freq.modeling.unmixing.methods.lamp import LAMP
from d2freq.modeling.unmixing.methods.liht import LIHT
from d2freq.modeling.unmixing.methods.lista import LISTA
from d2freq.modeling.unmixing.methods.rdn import RDN
from d2freq.modeling.unmixing.methods.richardson_lucy import RichardsonLucy
from d2freq.modeling.unmixing.methods.rpcanet import RPCANet
from d2freq.modeling.unmixing.methods.super_resolution import EDSR, ESPCN, SRCNN
from d2freq.modeling.unmixing.methods.tdan import TDAN
from d2freq.modeling.unmixing.methods.tilista import TiLISTA
from d2freq.modeling.unmixing.methods.training_free import FISTA, ISTA, LeastSquares
from d2freq.modeling.unmixing.methods.usrnet import USRNet
from d2freq.modeling.unmixing.stages import IstaNetStage

__all__ = [
    "BSRGAN",
    "DBPN",
    "EDSR",
    "ESPCN",
    "ESRGAN",
    "FISTA",
    "GMFN",
    "ISTA",
    "LAMP",
    "LIHT",
    "LISTA",
    "RDN",
    "SRCNN",
    "SRGAN",
    "TDAN",
    "DISTANet",
    "FISTANet",
    "ISTANet",
    "ISTANetPlus",
    "ISTANetPlusPlus",
    "IstaNetStage",
    "LeastSquares",
    "RPCANet",
    "RichardsonLucy",
    "TiLISTA",
    "USRNet",
    "UnmixingModel",
]
