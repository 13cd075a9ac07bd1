"""Every configuration key of d2freq, gathered from the config.py of each system.

``add_d2freq_config(cfg)`` before ``cfg.merge_from_file(...)``; calling it twice changes nothing.
"""

from detectron2.config import CfgNode as CN

from d2freq.data.augmentation.config import augment_keys
from d2freq.evaluation.config import tiny_keys
from d2freq.modeling.assignment.config import max_iou_rpn_keys, nwd_keys, rfla_keys
from d2freq.modeling.backbones.fpn import fpn_keys
from d2freq.modeling.backbones.mobilenet_v2 import mobilenetv2_keys
from d2freq.modeling.classification.config import classification_input_keys, classifier_keys
from d2freq.modeling.derefnet.config import derefnet_keys
from d2freq.modeling.detectors.fcos.config import fcos_keys
from d2freq.modeling.fft_fpn.config import fftfpn_keys
from d2freq.modeling.frequency_input.config import freq_input_keys
from d2freq.modeling.hs_fpn.config import hsfpn_keys
from d2freq.modeling.roi_heads.config import box_loss_keys
from d2freq.modeling.set.config import set_keys
from d2freq.modeling.unmixing.config import unmixing_input_keys, unmixing_keys
from d2freq.modeling.unmixing.methods.config import method_keys
from d2freq.modeling.wavelet_fpn.config import waveletfpn_keys
from d2freq.trainer_config import host_node_keys, trainer_keys

__all__ = ["add_d2freq_config"]


def add_d2freq_config(cfg: CN) -> None:
    """Add the keys of d2freq to a Detectron2 config, in place.

    A key that is there already keeps its value, so the call is idempotent and may also follow
    other extensions.

    Examples:
        >>> import d2freq
        >>> from detectron2.config import get_cfg
        >>> cfg = get_cfg()
        >>> d2freq.add_d2freq_config(cfg)
        >>> cfg.MODEL.HSFPN.PRESET, cfg.TEST.TINY.PROTOCOL
        ('paper', 'aitod')
    """
    _add_missing(cfg, "D2FREQ", trainer_keys())
    _add_missing(cfg.MODEL, "CLASSIFIER", classifier_keys())
    _add_missing(cfg.MODEL, "DEREFNET", derefnet_keys())
    _add_missing(cfg.MODEL, "FCOS", fcos_keys())
    _add_missing(cfg.MODEL, "FFTFPN", fftfpn_keys())
    _add_missing(cfg.MODEL, "FPN", fpn_keys())
    _add_missing(cfg.MODEL, "FREQ_INPUT", freq_input_keys())
    _add_missing(cfg.MODEL, "HSFPN", hsfpn_keys())
    _add_missing(cfg.MODEL, "MAX_IOU_RPN", max_iou_rpn_keys())
    _add_missing(cfg.MODEL, "MOBILENETV2", mobilenetv2_keys())
    _add_missing(cfg.MODEL, "NWD", nwd_keys())
    _add_missing(cfg.MODEL, "RFLA", rfla_keys())
    _add_missing(cfg.MODEL, "ROI_BOX_HEAD", box_loss_keys())
    _add_missing(cfg.MODEL, "SET", set_keys())
    _add_missing(cfg.MODEL, "UNMIXING", unmixing_keys())
    _add_missing(cfg.MODEL, "WAVELETFPN", waveletfpn_keys())
    for name, keys in method_keys().items():
        _add_missing(cfg.MODEL, name, keys)
    _add_missing(cfg.INPUT, "AUGMENT", augment_keys())
    _add_missing(cfg.INPUT, "CLASSIFICATION", classification_input_keys())
    _add_missing(cfg.INPUT, "UNMIXING", unmixing_input_keys())
    _add_missing(cfg.TEST, "TINY", tiny_keys())
    for name, keys in host_node_keys().items():
        _add_missing(cfg, name, keys)


def _add_missing(parent: CN, name: str, section: CN) -> None:
    if name not in parent:
        parent[name] = section
        return
    for key, value in section.items():
        if key not in parent[name]:
            parent[name][key] = value
