"""Configuration keys of the methods beside DeRefNet, a node for each family."""

from typing import Any

from detectron2.config import CfgNode as CN

from d2freq.modeling.unmixing.methods.keys.adversarial import bsrgan_keys, esrgan_keys, srgan_keys
from d2freq.modeling.unmixing.methods.keys.super_resolution import dbpn_keys, gmfn_keys, rdn_keys
from d2freq.modeling.unmixing.methods.keys.thresholding import lamp_keys, liht_keys, tilista_keys
from d2freq.modeling.unmixing.methods.keys.unfolding import (
    dista_net_keys,
    ista_net_plus_plus_keys,
    richardson_lucy_keys,
    rpcanet_keys,
    usrnet_keys,
)
from d2freq.utils.own_keys import own_keys

__all__ = ["arguments_of", "keys_of", "method_keys"]


def method_keys() -> dict[str, CN]:
    """Node name under MODEL -> keys; MODEL.META_ARCHITECTURE chooses the method.

    LeastSquares has none of its own.
    """
    return {
        "ISTA": _ista(),
        "ISTANET": _ista_net(),
        "FISTANET": _fista_net(),
        "LISTA": _lista(),
        "SRCNN": _srcnn(),
        "ESPCN": _espcn(),
        "EDSR": _edsr(),
        "TDAN": _tdan(),
        "RICHARDSONLUCY": richardson_lucy_keys(),
        "LIHT": liht_keys(),
        "LAMP": lamp_keys(),
        "TILISTA": tilista_keys(),
        "ISTANETPLUSPLUS": ista_net_plus_plus_keys(),
        "USRNET": usrnet_keys(),
        "RPCANET": rpcanet_keys(),
        "DISTANET": dista_net_keys(),
        "DBPN": dbpn_keys(),
        "GMFN": gmfn_keys(),
        "RDN": rdn_keys(),
        "SRGAN": srgan_keys(),
        "ESRGAN": esrgan_keys(),
        "BSRGAN": bsrgan_keys(),
    }


def keys_of(cfg: CN, name: str) -> CN:
    """The node of a family in a config; a UserError where d2freq's keys are not in it."""
    return own_keys(cfg, f"MODEL.{name}", method_keys()[name])


def arguments_of(cfg: CN, name: str) -> dict[str, Any]:
    """A family's keys as the arguments of the same names in small letters; lists become tuples."""
    keys = keys_of(cfg, name)
    return {
        key.lower(): tuple(keys[key]) if isinstance(keys[key], list) else keys[key]
        for key in method_keys()[name]
    }


def _ista() -> CN:
    """MODEL.ISTA: the training-free ISTA and FISTA."""
    node = CN()
    # Weight of the L1 norm, in grey levels. 1, the published script's.
    node.PENALTY = 1.0
    # Iterations of a frame at most, and the length of a step, in grey levels, at which a frame is
    # done before. 3000 and 1e-4 are the published script's.
    node.ITERATIONS = 3000
    node.TOLERANCE = 1e-4
    # "pinv" | "q_init" | "zeros": the first estimate. The minimum does not depend on it, the
    # iterations do. "pinv", Phi's pseudo-inverse, is the published script's.
    node.START = "pinv"
    # True | False. True: only intensities of at least 0, which is what there is. False, the
    # default: the plain method.
    node.NONNEGATIVE = False
    return node


def _ista_net() -> CN:
    """MODEL.ISTANET: ISTANet and ISTANetPlus."""
    node = CN()
    # Iterations, each with its own weights. 9: the parameters of the paper's Table 7.
    node.STAGES = 9
    # Channels of the learned transform. 32 in ISTA-Net and in DeRefNet.
    node.CHANNELS = 32
    # Width of the gradient steps before training. 0.5, the published code's, is above the 0.233 at
    # which plain gradient steps diverge (2 / |Phi|^2). ISTA-Net's convolutions damp that. Those of
    # ISTA-Net+ stand beside a skip connection, so that its first loss is 1e7 instead of 1e2;
    # therefore its config takes 1 / |Phi|^2 = 0.1165.
    node.STEP = 0.5
    # Weight of the constraint loss; the squared error has 1. 0.01 as in ISTA-Net's paper. 0.505 is
    # the ratio that the published code minimises, see ISTANet.losses.
    node.CONSTRAINT_WEIGHT = 0.01
    return node


def _fista_net() -> CN:
    """MODEL.FISTANET: FISTANet, one learned block that is repeated."""
    node = CN()
    # Iterations of the one block. 7 in the paper's Table 7.
    node.ITERATIONS = 7
    # Channels of the learned transform. 32, as in ISTA-Net.
    node.CHANNELS = 32
    # Convolutions of the transform, and as many of its inverse. 2: what the published code computes
    # (6.02 G of Table 7), 37,607 parameters. 4: FISTA-Net's paper, 74,599 parameters, as many as
    # Table 7 counts.
    node.DEPTH = 2
    # Weights of absolute error, constraint and sparsity; the squared error has 1. 0.1, 0.01, 0.001
    # are the published code's; what it minimises in effect has 0.505 and 0.0005 in the last two.
    node.L1_WEIGHT = 0.1
    node.CONSTRAINT_WEIGHT = 0.01
    node.SPARSITY_WEIGHT = 0.001
    return node


def _lista() -> CN:
    """MODEL.LISTA: LISTA, whose layers have all matrices learned."""
    node = CN()
    # 16 layers of 1.3 M parameters each: the paper's Table 7.
    node.LAYERS = 16
    # What the thresholds start as, times |Phi|^2, in grey levels. 0.4, as published: 0.047 levels.
    node.PENALTY = 0.4
    return node


def _srcnn() -> CN:
    """MODEL.SRCNN: SRCNN, three convolutions on Q_init's grid."""
    node = CN()
    # Channels behind the first and the second convolution. 32 and 16 in the paper's Table 7.
    node.CHANNELS = [32, 16]
    return node


def _espcn() -> CN:
    """MODEL.ESPCN: ESPCN, convolutions on the pixels and a shuffle to the grid."""
    node = CN()
    # Channels behind the first and the second convolution. 64 and 32 in the paper's Table 7.
    node.CHANNELS = [64, 32]
    # "relu" | "tanh". "relu", the default: frames are in grey levels, where the tanh of ESPCN's
    # paper is flat.
    node.ACTIVATION = "relu"
    return node


def _edsr() -> CN:
    """MODEL.EDSR: EDSR, residual blocks on the pixels of one frame."""
    node = CN()
    # Residual blocks and channels. 16 and 32: EDSR's small model, halved as in Table 7.
    node.BLOCKS = 16
    node.CHANNELS = 32
    return node


def _tdan() -> CN:
    """MODEL.TDAN: TDAN, which aligns the neighbours of a frame on the pixels."""
    node = CN()
    # Channels of all convolutions. 32, as in Table 7.
    node.CHANNELS = 32
    # Residual blocks before the alignment and behind it. 5 and 10 in TDAN's paper.
    node.FEATURE_BLOCKS = 5
    node.FUSION_BLOCKS = 10
    # Groups of channels with offsets of their own; has to divide CHANNELS. 8 in TDAN's paper.
    node.DEFORM_GROUPS = 8
    # Weight of the aligned frames' squared error; the grids' has 1. The published 0.01 is of a mean
    # over five frames, the centre compared with itself among them; over the other four it is 0.008.
    node.ALIGN_WEIGHT = 0.008
    return node
