"""No number of a detector's keys is taken in silence that makes no detector.

A key that is added is tried by itself: it refuses what is far out of any range, and names itself.
"""

from pathlib import Path

import pytest
import torch
from detectron2.modeling import build_model

from d2freq.config import own_nodes
from d2freq.engine import load_yaml
from d2freq.errors import UserError

CONFIGS = Path(__file__).resolve().parents[4] / "configs"
RPN = "MODEL.PROPOSAL_GENERATOR.NAME"
GRID = "detectors/grid_rcnn_R18_FPN_scenes"
FIELDS = ["MODEL.ANCHOR_GENERATOR.NAME", "RFLAAnchorGenerator"]
NODES = {  # the config that reads a node, and what makes it
    "MODEL.ATSS": ("detectors/atss_R18_FPN_scenes", []),
    "MODEL.PAA": ("detectors/paa_R18_FPN_scenes", []),
    "MODEL.AUTOASSIGN": ("detectors/auto_assign_R18_FPN_scenes", []),
    "MODEL.FCOS": ("set/fcos_R18_FPN_scenes", []),
    "MODEL.DINO": ("detectors/dino_MobileNetV2_scenes", []),
    "MODEL.CASCADE_RPN": ("detectors/cascade_rpn_R18_FPN_scenes", []),
    "MODEL.ROI_GRID_HEAD": (GRID, []),
    "MODEL.DETECTORS": ("detectors/faster_rcnn_R18_SAC_RFP_scenes", []),
    "MODEL.NWD": (GRID, [RPN, "NWDRPN"]),
    "MODEL.RFLA": (GRID, [RPN, "RFLARPN", *FIELDS]),
    "MODEL.DOTD": (GRID, [RPN, "DotDRPN"]),
    "MODEL.MAX_IOU_RPN": (GRID, [RPN, "MaxIoURPN"]),
}
# torchvision's own: any number below 1 stands for as many samples as the size asks for; all
# detections, as Detectron2's TEST.DETECTIONS_PER_IMAGE -1
BELOW_ZERO = {"POOLER_SAMPLING_RATIO", "NUM_SELECT", "PE_OFFSET"}
NUMBERS_OF_LAYOUT = {"LABEL_ROWS", "PE_TEMPERATURE", "PE_OFFSET"}  # None stands for the layout's


def senseless(key, usual):
    """Values of the key's type that are out of any range."""
    nan = float("nan")
    if isinstance(usual, bool | str):
        return []
    if isinstance(usual, float) or key in NUMBERS_OF_LAYOUT:
        return [nan, float("inf"), *([] if key in BELOW_ZERO else [-7.0])]
    if isinstance(usual, int):
        return [] if key in BELOW_ZERO else [-7]
    if isinstance(usual, list | tuple) and usual and isinstance(usual[0], float):
        return [[nan] * len(usual), [-1.0] * len(usual)]
    return []


CASES = [
    pytest.param(node, key, value, id=f"{node}.{key} {value}")
    for node in NODES
    for key, usual in own_nodes()[node].items()
    for value in senseless(key, usual)
]


@pytest.mark.parametrize(("node", "key", "value"), CASES)
def test_a_senseless_number_is_refused_with_its_key(node, key, value):
    config, keys = NODES[node]
    cfg = load_yaml(str(CONFIGS / f"{config}.yaml"), [*keys, "MODEL.DEVICE", "meta"])
    name = node.removeprefix("MODEL.")
    cfg.MODEL[name][key] = value
    with pytest.raises(UserError, match=key), torch.device("meta"):
        build_model(cfg)
