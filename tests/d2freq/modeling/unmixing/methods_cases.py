"""Every method with what is known of it, and small trajectories to try them on."""

import torch
from detectron2.config import get_cfg

from d2freq.config import add_d2freq_config
from d2freq.modeling.unmixing import (
    BSRGAN,
    DBPN,
    EDSR,
    ESPCN,
    ESRGAN,
    FISTA,
    GMFN,
    ISTA,
    LAMP,
    LIHT,
    LISTA,
    RDN,
    SRCNN,
    SRGAN,
    TDAN,
    DISTANet,
    FISTANet,
    ISTANet,
    ISTANetPlus,
    ISTANetPlusPlus,
    LeastSquares,
    RichardsonLucy,
    RPCANet,
    TiLISTA,
    USRNet,
)
from d2freq.ops.psf import sampling_matrix

TRAINING_FREE = (LeastSquares, ISTA, FISTA, RichardsonLucy)
# parameters of DeRefNet's Table 7, from the published configurations
PARAMETERS = {
    ISTANet: 171_090,
    ISTANetPlus: 336_978,
    FISTANet: 37_607,  # 74,599 with four convolutions in each chain, see methods/test_models.py
    LISTA: 21_100_464,
    SRCNN: 15_841,
    ESPCN: 22_729,
    EDSR: 389_025,
    TDAN: 584_833,
    LIHT: 21_100_464,
    LAMP: 2_125_728,
    TiLISTA: 2_125_744,
    ISTANetPlusPlus: 760_220,
    USRNet: 1_068_736,
    RPCANet: 679_896,
    DISTANet: 2_179_104,  # of its own paper
    DBPN: 1_963_594,
    GMFN: 2_796_518,
    RDN: 22_305_729,
    SRGAN: 1_552_193,  # of the GANs the generators alone
    ESRGAN: 16_695_681,
    BSRGAN: 11_659_713,
}
# small ones, quick to run; sizes that DeRefNet's table does not have
SMALL = {
    LeastSquares: {},
    ISTA: {"iterations": 50},
    FISTA: {"iterations": 50},
    ISTANet: {"stages": 2, "channels": 4},
    ISTANetPlus: {"stages": 2, "channels": 4},
    FISTANet: {"iterations": 3, "channels": 4},
    LISTA: {"layers": 2},
    SRCNN: {"channels": (4, 3)},
    ESPCN: {"channels": (4, 3)},
    EDSR: {"blocks": 2, "channels": 4},
    RichardsonLucy: {"iterations": 50},
    LIHT: {"layers": 2},
    LAMP: {"layers": 2, "threshold": 0.02},
    TiLISTA: {"layers": 2, "spared": 1.0},
    ISTANetPlusPlus: {"stages": 2, "channels": 4},
    USRNet: {"iterations": 2, "channels": (4, 6), "blocks": 1, "hyper_channels": 4},
    RPCANet: {"stages": 2, "channels": 4, "layers": 1, "target_layers": 1},
    DISTANet: {"stages": 2, "channels": 4},
    DBPN: {"channels": 4, "first_channels": 4, "pairs": 1},
    GMFN: {"channels": 4, "first_channels": 4, "blocks": 2, "layers": 2, "steps": 2},
    RDN: {"blocks": 2, "layers": 2, "channels": 4},
    SRGAN: {"blocks": 2, "channels": 4},
    ESRGAN: {"blocks": 1, "channels": 4, "growth": 2},
    BSRGAN: {"blocks": 1, "channels": 4, "growth": 2},
    TDAN: {"channels": 8, "feature_blocks": 1, "fusion_blocks": 1, "deform_groups": 2},
}
OPTICS = {"size": 5, "factor": 3, "sigma": 0.5, "window": 3}


def small_model(kind, seed=0, **more):
    """A small model of 5 x 5 pixels and windows of 3."""
    torch.manual_seed(seed)
    q_init = torch.linalg.pinv(sampling_matrix(5, 3, 0.5))
    return kind(q_init=q_init, **{**OPTICS, **SMALL.get(kind, {}), **more})


def records(count=2, length=5, size=5, seed=1):
    """Trajectories of noise in grey levels, with noise as their target too."""
    draw = torch.Generator().manual_seed(seed)
    shape = (length, 1, size, size)
    return [
        {
            "frames": 200 * torch.rand(shape, generator=draw),
            "target": 200 * torch.rand(length, 1, 3 * size, 3 * size, generator=draw),
        }
        for _ in range(count)
    ]


def stir(model, seed=2):
    """Move every parameter a little, those that start at zero and block a gradient too."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=draw))
    return model


def config(kind, *overrides):
    """A config whose model is of this kind, without data sets."""
    cfg = get_cfg()
    add_d2freq_config(cfg)
    cfg.MODEL.META_ARCHITECTURE = kind.__name__
    cfg.MODEL.DEVICE = "cpu"
    cfg.DATASETS.TRAIN = cfg.DATASETS.TEST = ()
    cfg.merge_from_list(list(overrides))
    return cfg
