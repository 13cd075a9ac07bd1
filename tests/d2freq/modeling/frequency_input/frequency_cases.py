"""Detectors on frequencies, as small as they come."""

from ..set.set_cases import FCOS, batch, config, gradients

__all__ = ["FCOS", "batch", "frequency_config", "gradients"]

GREY = ["MODEL.PIXEL_MEAN", [128.0] * 3, "MODEL.PIXEL_STD", [1.0] * 3]
SIX = [
    *("MODEL.FREQ_INPUT.CHANNELS", "6"),
    *("MODEL.FREQ_INPUT.MEAN", [0.0] * 6, "MODEL.FREQ_INPUT.STD", [300.0, 50, 50, 30, 80, 80]),
]
GATE = ["MODEL.META_ARCHITECTURE", "Gated", "MODEL.FREQ_INPUT.GATE.ENABLED", True]


def frequency_config(case="faster", *options, backbone="build_resnet_dct_fpn_backbone"):
    """A detector of the SET tests on the six lowest coefficients, with ``options`` on top.

    Its ResNet has 16 channels in res2 and trained batch norm. The gate is off.
    """
    own = [*GREY, *SIX, "MODEL.BACKBONE.NAME", backbone, "MODEL.MOBILENETV2.NORM", "BN", *options]
    # each key once: one of several types does not change from one to another
    last = dict(zip(own[::2], own[1::2], strict=True))
    return config(case, *(part for pair in last.items() for part in pair), with_set=False)
