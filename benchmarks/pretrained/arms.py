"""What is compared: data sets, arms, and the baseline of each arm."""

from typing import NamedTuple

RCNN, FCOS = "faster_rcnn", "fcos"
CONFIG = "configs/evidence/{detector}_MobileNetV2_FPN_{data}.yaml"


class Arm(NamedTuple):
    """One side of a comparison.

    Attributes:
        detector: RCNN or FCOS, the config.
        switches: KEY VALUE on top of the config.
        baseline: the arm that its differences are taken against, "" for a baseline itself.
        time_of: the arm whose whole training time this one gets, by more steps; "": equal steps.
        weights: whether it starts from ImageNet's weights.
        schedule: times as many steps as the config has.
        config: another config, of kit_ais alone; "": that of the detector and the data set.
    """

    detector: str
    switches: tuple[str, ...] = ()
    baseline: str = "FPN"
    time_of: str = ""
    weights: bool = True
    schedule: float = 1.0
    config: str = ""


class Data(NamedTuple):
    """A data set of the comparison.

    Attributes:
        config: its word in the names of configs.
        measured: where final figures come from, the last one the one in the tables.
        infrared: whether Pd and Fa are measured, too.
    """

    config: str
    measured: tuple[str, ...]
    infrared: bool = False


DATA = {
    "kit_ais": Data("kit_ais", ("kit_ais_half_val",)),
    "sirst": Data("sirst", ("sirst_v2_val", "sirst_v2_test"), infrared=True),
}

HSFPN = ("MODEL.BACKBONE.NAME", "build_mobilenetv2_hsfpn_backbone")
RELEASED = (*HSFPN, "MODEL.HSFPN.PRESET", "released")
# "paper" sums 256 cells into each channel's gate, which drives the gates to 0 or 1
MEAN = (*HSFPN, "MODEL.HSFPN.POOL_REDUCE", "mean")
FROM_FPN = ("MODEL.HSFPN.INIT", "fpn")
FFTFPN = ("MODEL.BACKBONE.NAME", "build_mobilenetv2_fftfpn_backbone")
WAVELETFPN = ("MODEL.BACKBONE.NAME", "build_mobilenetv2_waveletfpn_backbone")
NO_SDP = ("MODEL.HSFPN.SPATIAL_DEPENDENCY", "False")
NO_HFP = ("MODEL.HSFPN.CHANNEL_PATH", "False", "MODEL.HSFPN.SPATIAL_PATH", "False")
CONV = (*HSFPN, *NO_HFP, *NO_SDP, "MODEL.HSFPN.PLAIN_CONV", "True")
NWD = ("MODEL.PROPOSAL_GENERATOR.NAME", "NWDRPN")
# The receptive fields of RFLA are those of a ResNet-50; on MobileNetV2 they are a guess.
RFLA = ("MODEL.PROPOSAL_GENERATOR.NAME", "RFLARPN")
RFLA += ("MODEL.ANCHOR_GENERATOR.NAME", "RFLAAnchorGenerator")
SET = ("MODEL.META_ARCHITECTURE", "SET", "MODEL.SET.DETECTOR", "FCOS")

FIRST = {
    "FPN": Arm(RCNN, baseline=""),
    "HS-FPN paper": Arm(RCNN, HSFPN),
    "HS-FPN released": Arm(RCNN, RELEASED),
    "3x3 conv": Arm(RCNN, CONV),
    "NWD": Arm(RCNN, NWD),
    "FCOS": Arm(FCOS, baseline=""),
    "FCOS SET": Arm(FCOS, SET, baseline="FCOS"),
    "FCOS, SET's time": Arm(FCOS, baseline="FCOS", time_of="FCOS SET"),
}
# "3x3 conv" is FPN widened to HS-FPN's parameters, too, but for 1.5 %: GN's groups allow no width
# between 128 and 160 channels.
SECOND = {
    "HFP": Arm(RCNN, (*HSFPN, *NO_SDP)),
    "SDP": Arm(RCNN, (*HSFPN, *NO_HFP)),
    "HS-FPN mean": Arm(RCNN, MEAN),
    "HS-FPN from FPN": Arm(RCNN, (*MEAN, *FROM_FPN)),  # which became preset "d2freq"
    "3x3 conv from FPN": Arm(RCNN, (*CONV, *FROM_FPN)),  # what the start alone gains
    "HS-FPN from FPN, NWD": Arm(RCNN, (*MEAN, *FROM_FPN, *NWD)),
    "HFP, alpha 1": Arm(RCNN, (*HSFPN, *NO_SDP, "MODEL.HSFPN.ALPHA", "1.0")),
    "RFLA": Arm(RCNN, RFLA),
    "FFTFPN": Arm(RCNN, FFTFPN),
    "WaveletFPN": Arm(RCNN, WAVELETFPN),
    "FPN, HS-FPN's time": Arm(RCNN, time_of="HS-FPN paper"),
    "FCOS HBS": Arm(FCOS, (*SET, "MODEL.SET.PERTURBATION", "False"), baseline="FCOS"),
}
# Published weights fit no DCT input, so all three start from scratch, on a ResNet-18.
R18 = "configs/frequency_input/faster_rcnn_R18_{}FPN_kit_ais.yaml"
LONG = 2.0  # times the 1200 steps of these configs: a network learns more slowly from scratch
FROM_SCRATCH = {
    "RGB, scratch": Arm(RCNN, baseline="", weights=False, schedule=LONG, config=R18.format("")),
    "DCT-24, scratch": Arm(
        RCNN,
        baseline="RGB, scratch",
        weights=False,
        schedule=LONG,
        config=R18.format("DCT_"),
    ),
    "unshuffle, scratch": Arm(
        RCNN,
        baseline="RGB, scratch",
        weights=False,
        schedule=LONG,
        config=R18.format("unshuffle_"),
    ),
}
ARMS = FIRST | SECOND | FROM_SCRATCH
