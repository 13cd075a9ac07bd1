"""HS-FPN below Cascade R-CNN, RetinaNet and FCOS: they train, detect, and take FPN's weights."""

import pytest
import torch
from detectron2.config import get_cfg
from detectron2.modeling import build_backbone, build_model
from detectron2.modeling.meta_arch.fcos import FCOS, FCOSHead
from detectron2.structures import Boxes, Instances
from detectron2.utils.events import EventStorage

from d2freq import add_d2freq_config

LEVELS = ["res2", "res3", "res4", "res5"]
P2_TO_P6 = ["p2", "p3", "p4", "p5", "p6"]
COMMON = [
    *("MODEL.DEVICE", "cpu", "MODEL.RESNETS.DEPTH", 18, "MODEL.RESNETS.RES2_OUT_CHANNELS", 64),
    *("MODEL.RESNETS.OUT_FEATURES", LEVELS, "MODEL.FPN.IN_FEATURES", LEVELS),
    *("MODEL.FPN.OUT_CHANNELS", 32),
    *("MODEL.ANCHOR_GENERATOR.SIZES", [[8], [16], [32], [64], [128]]),
]
CASCADE = [
    *("MODEL.RPN.IN_FEATURES", P2_TO_P6, "MODEL.ROI_HEADS.NAME", "CascadeROIHeads"),
    *("MODEL.ROI_HEADS.IN_FEATURES", P2_TO_P6[:4], "MODEL.ROI_HEADS.NUM_CLASSES", 3),
    *("MODEL.ROI_HEADS.SCORE_THRESH_TEST", 0.0, "MODEL.RPN.POST_NMS_TOPK_TEST", 50),
    *("MODEL.ROI_BOX_HEAD.NAME", "FastRCNNConvFCHead", "MODEL.ROI_BOX_HEAD.NUM_FC", 1),
    *("MODEL.ROI_BOX_HEAD.FC_DIM", 16, "MODEL.ROI_BOX_HEAD.POOLER_RESOLUTION", 4),
    *("MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG", True),
]
RETINANET = [
    *("MODEL.META_ARCHITECTURE", "RetinaNet", "MODEL.RETINANET.NUM_CLASSES", 3),
    *("MODEL.RETINANET.NUM_CONVS", 2, "MODEL.RETINANET.SCORE_THRESH_TEST", 0.0),
]
FCOS_NAME = ["MODEL.META_ARCHITECTURE", "FCOS"]  # which no registry has, see `build`
P3_TO_P7 = ["MODEL.RESNETS.OUT_FEATURES", LEVELS[1:], "MODEL.FPN.IN_FEATURES", LEVELS[1:]]
# Options, the builder with HS-FPN, and that with plain FPN.
CASES = {
    "cascade": (CASCADE, "build_resnet_hsfpn_backbone", "build_resnet_fpn_backbone"),
    "retinanet_p2_to_p6": (
        [*RETINANET, "MODEL.RETINANET.IN_FEATURES", P2_TO_P6],
        "build_resnet_hsfpn_backbone",
        "build_resnet_fpn_backbone",
    ),
    "retinanet_p3_to_p7": (
        [*RETINANET, *P3_TO_P7],
        "build_retinanet_resnet_hsfpn_backbone",
        "build_retinanet_resnet_fpn_backbone",
    ),
    "fcos_p2_to_p6": (FCOS_NAME, "build_resnet_hsfpn_backbone", "build_resnet_fpn_backbone"),
    "fcos_p3_to_p7": (
        [*FCOS_NAME, *P3_TO_P7],
        "build_retinanet_resnet_hsfpn_backbone",
        "build_retinanet_resnet_fpn_backbone",
    ),
}


def build(options, backbone):
    cfg = get_cfg()
    add_d2freq_config(cfg)
    cfg.merge_from_list([*COMMON, *options, "MODEL.BACKBONE.NAME", backbone])
    if cfg.MODEL.META_ARCHITECTURE != "FCOS":
        return build_model(cfg)
    neck = build_backbone(cfg)
    levels = list(neck.output_shape().values())
    return FCOS(
        backbone=neck,
        head=FCOSHead(input_shape=levels, num_classes=3, conv_dims=[32, 32]),
        num_classes=3,
        test_score_thresh=0.0,
        pixel_mean=cfg.MODEL.PIXEL_MEAN,
        pixel_std=cfg.MODEL.PIXEL_STD,
    )


def batch():
    """Two images of unequal, awkward size; the second without boxes."""
    records = []
    for (height, width), count in (((70, 93), 4), ((64, 50), 0)):
        corner = torch.rand(count, 2) * 30
        target = Instances((height, width))
        target.gt_boxes = Boxes(torch.cat([corner, corner + 4 + torch.rand(count, 2) * 12], dim=1))
        target.gt_classes = torch.randint(3, (count,))
        image = torch.randint(0, 256, (3, height, width), dtype=torch.uint8)
        records.append({"image": image, "instances": target})
    return records


@pytest.mark.parametrize("case", CASES)
def test_the_neck_learns_and_boxes_come_out(case):
    options, backbone, _ = CASES[case]
    model = build(options, backbone)
    with EventStorage():
        losses = model.train()(batch())
    assert all(torch.isfinite(value) for value in losses.values())
    sum(losses.values()).backward()
    neck = {
        name: parameter.grad
        for name, parameter in model.backbone.named_parameters()
        if name.startswith(("fpn_hfp", "fpn_sdp"))
    }
    assert neck and all(grad is not None and torch.isfinite(grad).all() for grad in neck.values())
    # Each filter and each dependency, as a whole, has a way to the losses.
    modules = {name.split(".")[0] for name in neck}
    for module in modules:
        assert any(grad.abs().sum() > 0 for n, grad in neck.items() if n.startswith(module)), module
    with torch.no_grad():
        found = [output["instances"] for output in model.eval()(batch())]
    assert [each.image_size for each in found] == [(70, 93), (64, 50)]
    assert all(len(each) > 0 and torch.isfinite(each.pred_boxes.tensor).all() for each in found)


@pytest.mark.parametrize("case", CASES)
def test_weights_of_the_plain_detector_load(case):
    options, backbone, plain = CASES[case]
    model, donor = build(options, backbone), build(options, plain)
    report = model.load_state_dict(donor.state_dict(), strict=False)
    assert report.unexpected_keys == [] and report.missing_keys
    assert all(
        key.startswith(("backbone.fpn_hfp", "backbone.fpn_sdp")) for key in report.missing_keys
    )


def test_retinanet_takes_a_p6_by_convolution_too():
    options = [*RETINANET, "MODEL.RETINANET.IN_FEATURES", P2_TO_P6]
    model = build(options, "build_retinanet_resnet_hsfpn_backbone")
    with EventStorage():
        sum(model.train()(batch()).values()).backward()
    assert model.backbone.top_block.p6.weight.grad.abs().sum() > 0
