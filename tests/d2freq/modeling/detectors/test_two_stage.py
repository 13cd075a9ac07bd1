"""Cascade RPN and Grid R-CNN in whole detectors: their sizes, and what they combine with."""

from pathlib import Path

import pytest
import torch
from detectron2.modeling import build_model
from detectron2.structures import Boxes, Instances
from detectron2.utils.events import EventStorage

from d2freq.engine import load_yaml
from d2freq.modeling.set import SET

CONFIGS = Path(__file__).resolve().parents[4] / "configs/detectors"
THREE = ["MODEL.ANCHOR_GENERATOR.ASPECT_RATIOS", [[0.5, 1.0, 2.0]]]
AFFINE = 53_120  # of the batch norms of ResNet-50, which learn in published.yaml


@pytest.mark.parametrize(
    ("name", "overrides", "parameters"),
    [
        ("cascade_rpn_R50_FPN_aitod", [], 41_919_218),
        ("cascade_rpn_R50_HSFPN_aitod", [], 44_702_450),
        ("grid_rcnn_R50_FPN_aitod", THREE, 64_421_281),
        ("grid_rcnn_R50_FPN_aitod", [], 64_423_851),
        ("grid_rcnn_R50_HSFPN_aitod", [], 67_207_083),
    ],
)
def test_parameters(name, overrides, parameters):
    keys = [*overrides, "MODEL.DEVICE", "meta"]
    with torch.device("meta"):
        model = build_model(load_yaml(str(CONFIGS / f"{name}.yaml"), keys))
    assert sum(p.numel() for p in model.parameters()) == parameters + AFFINE
    norms = [n for n, p in model.backbone.bottom_up.named_parameters() if ".norm." in n]
    assert sum(model.backbone.bottom_up.get_parameter(n).numel() for n in norms) == AFFINE


DETECTORS = ("cascade_rpn", "grid_rcnn")
HS_FPN = ["MODEL.BACKBONE.NAME", "build_resnet_hsfpn_backbone"]
SMALL = (
    "MODEL.DEVICE cpu MODEL.FPN.OUT_CHANNELS 32 MODEL.ROI_BOX_HEAD.FC_DIM 16 "
    "MODEL.RPN.POST_NMS_TOPK_TRAIN 30 MODEL.RPN.POST_NMS_TOPK_TEST 30 "
    "MODEL.ROI_HEADS.SCORE_THRESH_TEST 0.0 MODEL.ROI_GRID_HEAD.POINT_CHANNELS 4 "
    "TEST.DETECTIONS_PER_IMAGE 20"
).split()
PAIRS = {
    "HS-FPN": HS_FPN,
    "NWD": ["MODEL.CASCADE_RPN.ASSIGNER", "nwd", "MODEL.PROPOSAL_GENERATOR.NAME", "NWDRPN"],
    "RFLA": ["MODEL.CASCADE_RPN.ASSIGNER", "rfla", "MODEL.PROPOSAL_GENERATOR.NAME", "RFLARPN"],
    "SET": ["MODEL.META_ARCHITECTURE", "SET", "MODEL.SET.DETECTOR", "GeneralizedRCNN"],
}
PAIRS["HS-FPN and SET"] = [*HS_FPN, *PAIRS["SET"]]


def build(detector, *keys):
    torch.manual_seed(0)
    cfg = load_yaml(str(CONFIGS / f"{detector}_R18_FPN_scenes.yaml"), [*SMALL, *keys])
    if detector == "cascade_rpn":
        cfg.MODEL.PROPOSAL_GENERATOR.NAME = "CascadeRPN"
    elif cfg.MODEL.PROPOSAL_GENERATOR.NAME == "RFLARPN":
        cfg.MODEL.ANCHOR_GENERATOR.NAME = "RFLAAnchorGenerator"
    return build_model(cfg)


def record(*boxes):
    target = Instances((64, 64), gt_boxes=Boxes(torch.tensor(boxes).reshape(-1, 4)))
    target.gt_classes = torch.arange(len(boxes)) % 5
    return {"image": torch.randint(0, 256, (3, 64, 64)), "instances": target}


@pytest.mark.parametrize("detector", DETECTORS)
@pytest.mark.parametrize("pair", PAIRS)
def test_it_trains_a_step_and_detects(pair, detector):
    model = build(detector, *PAIRS[pair]).train()
    batch = [record([10.0, 12, 18, 20], [40.0, 30, 45, 33], [24.0, 40, 39, 52]), record()]
    with EventStorage():
        losses = model(batch)
    names = {"loss_cls", "loss_grid", "loss_rpn_cls", "loss_rpn_loc"}
    if detector == "cascade_rpn":
        names = {"loss_cls", "loss_box_reg", "loss_rpn_loc_stage0"}
        names |= {"loss_rpn_cls_stage1", "loss_rpn_loc_stage1"}
    if "SET" in pair:
        assert isinstance(model, SET)
        names |= {name.replace("loss_", "loss_set_") for name in names}
    assert set(losses) == names and all(loss.isfinite() for loss in losses.values())
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    with torch.no_grad():
        (found,) = model.eval()([{"image": batch[0]["image"]}])
    boxes = found["instances"].pred_boxes.tensor
    assert len(boxes) > 0 and (boxes >= 0).all() and (boxes <= 64).all()


@pytest.mark.parametrize("detector", DETECTORS)
def test_a_plain_config_reads_the_weights_of_a_training_with_set(detector):
    wrapped, plain = build(detector, *PAIRS["SET"]), build(detector)
    saved = wrapped.state_dict()
    assert all(torch.equal(value, saved[name]) for name, value in plain.state_dict().items())
    image = record()["image"]
    with torch.no_grad():
        ours, theirs = (m.eval()([{"image": image}])[0]["instances"] for m in (wrapped, plain))
    assert torch.equal(ours.pred_boxes.tensor, theirs.pred_boxes.tensor)
