"""Every configuration key of d2freq, gathered from the config.py of each system.

``add_d2freq_config(cfg)`` before ``cfg.merge_from_file(...)``; calling it twice changes nothing.
"""

from detectron2.config import CfgNode as CN
from yacs.config import CfgNode as YacsNode

from d2freq.data.augmentation.config import augment_keys
from d2freq.data.pixels.config import pixel_keys
from d2freq.errors import UserError
from d2freq.evaluation.config import tiny_keys
from d2freq.modeling.assignment.config import (
    dotd_keys,
    max_iou_rpn_keys,
    nwd_keys,
    rfla_keys,
)
from d2freq.modeling.backbones.fpn import fpn_keys
from d2freq.modeling.backbones.mobilenet_v2 import mobilenetv2_keys
from d2freq.modeling.classification.config import classification_input_keys, classifier_keys
from d2freq.modeling.derefnet.config import derefnet_keys
from d2freq.modeling.detectors.atss.config import atss_keys
from d2freq.modeling.detectors.auto_assign.config import auto_assign_keys
from d2freq.modeling.detectors.cascade_rpn.config import cascade_rpn_keys
from d2freq.modeling.detectors.dino.config import dino_keys
from d2freq.modeling.detectors.fcos.config import fcos_keys
from d2freq.modeling.detectors.grid_rcnn.config import roi_grid_head_keys
from d2freq.modeling.detectors.paa.config import paa_keys
from d2freq.modeling.detectors.sac.config import detectors_keys
from d2freq.modeling.fft_fpn.config import fftfpn_keys
from d2freq.modeling.frequency_input.config import freq_input_keys
from d2freq.modeling.hs_fpn.config import hsfpn_keys
from d2freq.modeling.roi_heads.config import box_loss_keys, cascade_loss_keys
from d2freq.modeling.set.config import set_keys
from d2freq.modeling.unmixing.config import unmixing_input_keys, unmixing_keys
from d2freq.modeling.unmixing.methods.config import method_keys
from d2freq.modeling.wavelet_fpn.config import waveletfpn_keys
from d2freq.trainer_config import host_node_keys, trainer_keys
from d2freq.utils.own_keys import add_keys

__all__ = ["add_d2freq_config", "own_nodes", "shared_nodes"]


def add_d2freq_config(cfg: CN) -> None:
    """Add the keys of d2freq to a Detectron2 config, in place.

    A key that is there already keeps its value, so the call is idempotent and may also follow
    other extensions. Where one of them has a node of the same name, such as AdelaiDet's MODEL.FCOS,
    d2freq's is MODEL.D2FREQ_FCOS, and a warning says so; see d2freq.utils.own_keys.

    Examples:
        >>> import d2freq
        >>> from detectron2.config import get_cfg
        >>> cfg = get_cfg()
        >>> d2freq.add_d2freq_config(cfg)
        >>> cfg.MODEL.HSFPN.PRESET, cfg.TEST.TINY.PROTOCOL
        ('paper', 'aitod')

    Raises:
        UserError: it is no config of get_cfg(), or a frozen one that lacks keys.
    """
    if not isinstance(cfg, YacsNode) or not {"INPUT", "MODEL", "TEST"} <= cfg.keys():
        raise UserError(
            "add_d2freq_config(cfg) takes what detectron2.config.get_cfg() returns, and not this "
            f"{type(cfg).__name__}; a lazy config needs no keys of d2freq"
        )
    for name, keys in own_nodes().items():
        add_keys(cfg, name, keys)
    for name, keys in shared_nodes().items():
        add_keys(cfg, name, keys, shared=True)


def own_nodes() -> dict[str, CN]:
    """The nodes that d2freq adds to a config, by their names, with every key and default."""
    return {
        "D2FREQ": trainer_keys(),
        "INPUT.AUGMENT": augment_keys(),
        "INPUT.CLASSIFICATION": classification_input_keys(),
        "INPUT.PIXELS": pixel_keys(),
        "INPUT.UNMIXING": unmixing_input_keys(),
        "MODEL.ATSS": atss_keys(),
        "MODEL.AUTOASSIGN": auto_assign_keys(),
        "MODEL.CASCADE_RPN": cascade_rpn_keys(),
        "MODEL.CLASSIFIER": classifier_keys(),
        "MODEL.DEREFNET": derefnet_keys(),
        "MODEL.DETECTORS": detectors_keys(),
        "MODEL.DINO": dino_keys(),
        "MODEL.DOTD": dotd_keys(),
        "MODEL.FCOS": fcos_keys(),
        "MODEL.FFTFPN": fftfpn_keys(),
        "MODEL.FREQ_INPUT": freq_input_keys(),
        "MODEL.HSFPN": hsfpn_keys(),
        "MODEL.MAX_IOU_RPN": max_iou_rpn_keys(),
        "MODEL.MOBILENETV2": mobilenetv2_keys(),
        "MODEL.NWD": nwd_keys(),
        "MODEL.PAA": paa_keys(),
        "MODEL.RFLA": rfla_keys(),
        "MODEL.ROI_GRID_HEAD": roi_grid_head_keys(),
        "MODEL.SET": set_keys(),
        "MODEL.UNMIXING": unmixing_keys(),
        "MODEL.WAVELETFPN": waveletfpn_keys(),
        **{f"MODEL.{name}": keys for name, keys in method_keys().items()},
        "TEST.TINY": tiny_keys(),
    }


def shared_nodes() -> dict[str, CN]:
    """What d2freq adds to nodes of Detectron2."""
    return {
        "MODEL.FPN": fpn_keys(),
        "MODEL.ROI_BOX_CASCADE_HEAD": cascade_loss_keys(),
        "MODEL.ROI_BOX_HEAD": box_loss_keys(),
        **host_node_keys(),
    }
