"""DCT coefficients as a network's input (Learning in the Frequency Domain, CVPR 2020)."""

from d2freq.modeling.frequency_input.backbones import (
    FrequencyResNet,
    build_resnet_dct_backbone,
    build_resnet_dct_fpn_backbone,
    build_retinanet_resnet_dct_fpn_backbone,
)
from d2freq.modeling.frequency_input.build_stem import build_stem, describe_stem
from d2freq.modeling.frequency_input.channels import select_channels
from d2freq.modeling.frequency_input.control_stems import LearnedStem, UnshuffleStem
from d2freq.modeling.frequency_input.dct_stem import DCTStem
from d2freq.modeling.frequency_input.gate import ChannelGate
from d2freq.modeling.frequency_input.gate_loss import Gated, add_gate_loss
from d2freq.modeling.frequency_input.input_stem import FixedStem, InputStem
from d2freq.modeling.frequency_input.mobilenet_v2 import (
    MobileNetEntry,
    build_mobilenetv2_dct_backbone,
    build_mobilenetv2_dct_fpn_backbone,
)
from d2freq.modeling.frequency_input.projection import FrequencyStem, Projection
from d2freq.modeling.frequency_input.stages import make_stages

__all__ = [
    "ChannelGate",
    "DCTStem",
    "FixedStem",
    "FrequencyResNet",
    "FrequencyStem",
    "Gated",
    "InputStem",
    "LearnedStem",
    "MobileNetEntry",
    "Projection",
    "UnshuffleStem",
    "add_gate_loss",
    "build_mobilenetv2_dct_backbone",
    "build_mobilenetv2_dct_fpn_backbone",
    "build_resnet_dct_backbone",
    "build_resnet_dct_fpn_backbone",
    "build_retinanet_resnet_dct_fpn_backbone",
    "build_stem",
    "describe_stem",
    "make_stages",
    "select_channels",
]
