"""Every configuration key of d2freq, with its choices and the reason of its default.

``add_d2freq_config(cfg)`` before ``cfg.merge_from_file(...)``; calling it twice changes nothing.
"""

from detectron2.config import CfgNode as CN

from d2freq.evaluation.config import tiny_keys
from d2freq.modeling.assignment.config import nwd_keys, rfla_keys
from d2freq.modeling.backbones.mobilenet_v2 import mobilenetv2_keys
from d2freq.modeling.classification.config import classification_input_keys, classifier_keys
from d2freq.modeling.derefnet.config import derefnet_keys
from d2freq.modeling.detectors.fcos.config import fcos_keys
from d2freq.modeling.frequency_input.config import freq_input_keys
from d2freq.modeling.set.config import set_keys
from d2freq.modeling.unmixing.config import unmixing_input_keys, unmixing_keys
from d2freq.modeling.unmixing.methods.config import method_keys
from d2freq.trainer_config import trainer_keys

__all__ = ["add_d2freq_config"]


def add_d2freq_config(cfg: CN) -> None:
    """Add the keys of d2freq to a Detectron2 config, in place.

    A key that is there already keeps its value, so the call is idempotent and may also follow
    other extensions.
    """
    _add_missing(cfg, "D2FREQ", trainer_keys())
    _add_missing(cfg.MODEL, "CLASSIFIER", classifier_keys())
    _add_missing(cfg.MODEL, "DEREFNET", derefnet_keys())
    _add_missing(cfg.MODEL, "FCOS", fcos_keys())
    _add_missing(cfg.MODEL, "FREQ_INPUT", freq_input_keys())
    _add_missing(cfg.MODEL, "HSFPN", _hsfpn())
    _add_missing(cfg.MODEL, "MOBILENETV2", mobilenetv2_keys())
    _add_missing(cfg.MODEL, "NWD", nwd_keys())
    _add_missing(cfg.MODEL, "RFLA", rfla_keys())
    _add_missing(cfg.MODEL, "SET", set_keys())
    _add_missing(cfg.MODEL, "UNMIXING", unmixing_keys())
    for name, keys in method_keys().items():
        _add_missing(cfg.MODEL, name, keys)
    _add_missing(cfg.INPUT, "CLASSIFICATION", classification_input_keys())
    _add_missing(cfg.INPUT, "UNMIXING", unmixing_input_keys())
    _add_missing(cfg.TEST, "TINY", tiny_keys())


def _add_missing(parent: CN, name: str, section: CN) -> None:
    if name not in parent:
        parent[name] = section
        return
    for key, value in section.items():
        if key not in parent[name]:
            parent[name][key] = value


def _hsfpn() -> CN:
    """MODEL.HSFPN: the neck HS-FPN. MODEL.FPN.{IN_FEATURES,OUT_CHANNELS,NORM,FUSE_TYPE} hold too.

    A preset sets every switch; a switch that is not None overrides it. A switch "per level" is
    one value or a list with one value for each of MODEL.FPN.IN_FEATURES, from high to low
    resolution. "P2, P3: x" below names the level of stride 4, 8.
    """
    node = CN()
    # "paper": the reading that reproduces the parameter counts of the paper's Table 5.
    # "released": the code as the authors published it in March 2025.
    node.PRESET = "paper"

    # --- which parts there are -----------------------------------------------------------------
    # True | False. HFP's channel path: one weight a channel. Both presets: True.
    # With both paths False there is no HFP at all (no 3x3 convolution of it either, unless
    # PLAIN_CONV asks for it).
    node.CHANNEL_PATH = None
    # True | False. HFP's spatial path: one weight a pixel. Both presets: True.
    node.SPATIAL_PATH = None
    # True | False. SDP, the attention between a level and the next coarser one. Both: True.
    node.SPATIAL_DEPENDENCY = None
    # True | False. A control that the paper lacks: HFP's 3x3 convolution alone, in HFP's place.
    # Needs both paths False. Both presets: False.
    node.PLAIN_CONV = None

    # --- HFP: high-pass filter ------------------------------------------------------------------
    # Part of the DCT rows and columns that is removed, in [0, 1]. One number holds at P2 and P3,
    # the levels that the paper filters (the others keep 0: no filter); a list is per level.
    # Both presets: 0.25, the best of the paper's Table 2.
    node.ALPHA = None
    # "floor" | "ceil": how alpha x size becomes a number of rows. Equation 2 reads as "ceil", the
    # published code does "floor", and at sizes that 4 divides they agree. Both presets: "floor".
    node.ROUNDING = None

    # --- HFP: channel path ----------------------------------------------------------------------
    # Cells per side of the average and the maximum pool, per level; a map smaller than that is
    # fine. "paper": 16. "released": 16, 8, 1, 1 at P2, P3, P4, P5.
    node.POOL_SIZE = None
    # "sum" | "mean" over those cells. Both presets: "sum", as in the paper. The sum of 256 maxima
    # is large and drives the sigmoid to 0 or 1 from the first step on, for half of the channels of
    # a ResNet-18 that starts from scratch; with "mean" for none.
    node.POOL_REDUCE = None
    # How the scores of the two pools meet. "concat": as the paper says, one after the other, so
    # that a group of the next convolution sees one kind of pool. "interleave": the same size, but
    # channel by channel, so that a group sees both pools of its own channels. "sum": half of the
    # weights. "paper": "concat". "released": "sum".
    node.FUSION = None
    # Groups of the channel path's 1x1 convolutions; has to divide MODEL.FPN.OUT_CHANNELS.
    # Both presets: 32, the only number that fits Table 5.
    node.GROUPS = None
    # True | False. Bias in those convolutions. "paper": True. "released": False.
    node.GATE_BIAS = None
    # True | False. ReLU after every convolution of the two gates, which then lie in [0.5, 1).
    # "paper": False (Figure 3 shows the sigmoid alone). "released": True.
    node.GATE_RELU = None

    # --- HFP: spatial path ----------------------------------------------------------------------
    # Per level. "conv": sigmoid of a 1x1 convolution to one channel. "raw": the filtered map is
    # the weight itself, without convolution or sigmoid. "paper": "conv" at all levels.
    # "released": "raw" at P2 and P3, "conv" above.
    node.SPATIAL_MODE = None

    # --- HFP: the 3x3 convolution at its end ----------------------------------------------------
    # True | False. "paper": False. "released": True.
    node.TAIL_BIAS = None
    # True | False. ReLU after it. "paper": False. "released": True.
    node.TAIL_RELU = None
    # "" | "GN" | "BN" | "SyncBN", after the ReLU. "paper": "". "released": "GN".
    node.TAIL_NORM = None

    # --- SDP ------------------------------------------------------------------------------------
    # "" | "GN" | "BN" | "SyncBN" after query's and key's 1x1 convolution. Both presets: "GN".
    node.SDP_NORM = None
    # True | False. ReLU between that convolution and its norm. Both presets: True.
    node.SDP_RELU = None
    # True | False. A convolution of its own for the value; False takes the key as value, which is
    # what Table 5 counts. Both presets: False.
    node.SEPARATE_VALUE = None

    # --- top-down path --------------------------------------------------------------------------
    # "two_pass": SDP looks at the coarser level before the FPN addition, as the code does.
    # "one_pass": after it, as Figure 2 shows. Both presets: "two_pass".
    node.TOP_DOWN = None

    # --- memory ---------------------------------------------------------------------------------
    # True | False. True: in training HFP and SDP keep their inputs alone and are computed again
    # in backward. Less memory, more time, the same gradients. Not with BN or SyncBN in them, which
    # would count each batch twice.
    node.USE_ACT_CHECKPOINT = False
    return node
