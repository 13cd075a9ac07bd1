"""Which of HS-FPN, NWD, RFLA and SET each detector combines with, all of it in one table.

Models are built without memory. That the pairs train and detect is tested in tests/configs, for
those with a config, and for the others in test_two_stage.py, dense/ and dino/.
"""

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from detectron2.modeling import build_model

from d2freq.engine import load_yaml
from d2freq.modeling.set import SET

CONFIGS = Path(__file__).resolve().parents[4] / "configs"
NECK = "MODEL.BACKBONE.NAME"
HSFPN_ABOVE = "build_retinanet_resnet_hsfpn_backbone"
RPN = "MODEL.PROPOSAL_GENERATOR.NAME"


class Pair(NamedTuple):
    """A config with other keys, and where the part is found: attribute, and its class or value."""

    config: str
    keys: list[Any]
    place: str
    part: str | float


def around(detector: str) -> list[str]:
    return ["MODEL.META_ARCHITECTURE", "SET", "MODEL.SET.DETECTOR", detector]


SAC = "cascade_rcnn_R50_SAC"
CRPN, GRID, ATSS, PAA, AUTO = (
    f"{name}_R50_FPN_aitod" for name in ("cascade_rpn", "grid_rcnn", "atss", "paa", "auto_assign")
)
# fewer layers are made in less time; the combination is the same
SMALL = ["MODEL.DEVICE", "meta", "MODEL.RESNETS.DEPTH", 18, "MODEL.RESNETS.RES2_OUT_CHANNELS", 64]
SMALL += ["MODEL.DINO.ENC_LAYERS", 1, "MODEL.DINO.DEC_LAYERS", 1]
MATCHER = "proposal_generator.anchor_matcher"
FIELDS = ["MODEL.ANCHOR_GENERATOR.NAME", "RFLAAnchorGenerator"]
COLUMNS = ("HS-FPN", "NWD", "RFLA", "SET")
# None: not here. Of these, AutoAssign with RFLA alone is published.
TABLE: dict[str, tuple[Pair | None, ...]] = {
    "DetectoRS": (
        Pair(f"{SAC}_HSFPN_aitod", [], "backbone", "HSFPN"),
        Pair(f"{SAC}_RFP_NWD_aitod", [], "proposal_generator", "NWDRPN"),
        Pair(f"{SAC}_RFP_RFLA_aitod", [], "proposal_generator", "RFLARPN"),
        Pair(f"{SAC}_RFP_aitod", around("GeneralizedRCNN"), "backbone", "RFP"),
    ),
    "Cascade RPN": (
        Pair("cascade_rpn_R50_HSFPN_aitod", [], "backbone", "HSFPN"),
        Pair(CRPN, ["MODEL.CASCADE_RPN.ASSIGNER", "nwd"], MATCHER, "RankingAssigner"),
        Pair(CRPN, ["MODEL.CASCADE_RPN.ASSIGNER", "rfla"], MATCHER, "HierarchicalAssigner"),
        Pair(CRPN, around("GeneralizedRCNN"), "proposal_generator", "CascadeRPN"),
    ),
    "Grid R-CNN": (
        Pair("grid_rcnn_R50_HSFPN_aitod", [], "backbone", "HSFPN"),
        Pair(GRID, [RPN, "NWDRPN"], MATCHER, "RankingAssigner"),
        Pair(GRID, [RPN, "RFLARPN", *FIELDS], MATCHER, "HierarchicalAssigner"),
        Pair(GRID, around("GeneralizedRCNN"), "roi_heads", "GridROIHeads"),
    ),
    "ATSS": (
        Pair(ATSS, [NECK, HSFPN_ABOVE], "backbone", "HSFPN"),
        Pair("atss_R50_FPN_NWD_aitod", [], "box_loss", "nwd"),
        None,
        Pair(ATSS, around("ATSS"), "detector", "ATSS"),
    ),
    "PAA": (
        Pair(PAA, [NECK, HSFPN_ABOVE], "backbone", "HSFPN"),
        None,
        None,
        Pair(PAA, around("PAA"), "detector", "PAA"),
    ),
    "AutoAssign": (
        Pair(AUTO, [NECK, HSFPN_ABOVE], "backbone", "HSFPN"),
        None,
        None,
        Pair(AUTO, around("AutoAssign"), "detector", "AutoAssign"),
    ),
    "DINO": (
        Pair("dino_5scale_R50_HSFPN_aitod", [], "backbone", "HSFPN"),
        Pair("dino_5scale_R50_aitod", ["MODEL.DINO.COST_NWD", 2.0], "costs.nwd", 2.0),
        None,
        Pair("dino_5scale_R50_SET_aitod", [], "detector", "DINO"),
    ),
}
CASES = [
    pytest.param(column, pair, id=f"{detector} with {column}")
    for detector, row in TABLE.items()
    for column, pair in zip(COLUMNS, row, strict=True)
    if pair is not None
]


@pytest.mark.parametrize(("column", "pair"), CASES)
def test_a_pair_is_built(column, pair):
    keys = [*SMALL, *pair.keys]
    cfg = load_yaml(str(CONFIGS / f"detectors/{pair.config}.yaml"), keys)
    with torch.device("meta"):
        model = build_model(cfg)
    assert isinstance(model, SET) == (column == "SET")
    found: Any = model
    if column == "SET" and pair.place != "detector":
        found = model.detector
    for name in pair.place.split("."):
        found = getattr(found, name)
    assert pair.part in (found, type(found).__name__)
