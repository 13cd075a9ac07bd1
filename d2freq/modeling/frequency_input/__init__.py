"""DCT coefficients as a network's input (Learning in the Frequency Domain, CVPR 2020)."""

from d2freq.modeling.frequency_input.backbones import (
    build_resnet_dct_backbone,
    build_resnet_dct_fpn_backbone,
)
from d2freq.modeling.frequency_input.base import FixedStem, InputStem
from d2freq.modeling.frequency_input.build_stem import build_stem, describe_stem
from d2freq.modeling.frequency_input.channels import select_channels
from d2freq.modeling.frequency_input.controls import LearnedStem, UnshuffleStem
from d2freq.modeling.frequency_input.entry import FrequencyStem, Projection
from d2freq.modeling.frequency_input.gate import ChannelGate
from d2freq.modeling.frequency_input.gate_loss import (
    GatedFCOS,
    GatedGeneralizedRCNN,
    GatedRetinaNet,
    GateLoss,
)
from d2freq.modeling.frequency_input.stages import make_stages
from d2freq.modeling.frequency_input.stem import DCTStem

__all__ = [
    "ChannelGate",
    "DCTStem",
    "FixedStem",
    "FrequencyStem",
    "GateLoss",
    "GatedFCOS",
    "GatedGeneralizedRCNN",
    "GatedRetinaNet",
    "InputStem",
    "LearnedStem",
    "Projection",
    "UnshuffleStem",
    "build_resnet_dct_backbone",
    "build_resnet_dct_fpn_backbone",
    "build_stem",
    "describe_stem",
    "make_stages",
    "select_channels",
]
