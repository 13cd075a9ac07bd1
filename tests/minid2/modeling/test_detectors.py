"""Whole detectors: training, detections, empty images, bad input, half precision, traces.

The models are tiny, start without weights and get random inputs.
"""

import pytest
import torch

from minid2.config import get_cfg
from minid2.modeling import FCOS, build_backbone, build_model
from minid2.modeling.meta_arch.fcos import FCOSHead
from minid2.structures import Boxes, Instances
from minid2.utils.events import EventStorage

LEVELS = ["res2", "res3", "res4", "res5"]
FASTER = [
    *("MODEL.DEVICE", "cpu", "MODEL.BACKBONE.NAME", "build_resnet_fpn_backbone"),
    *("MODEL.RESNETS.DEPTH", 18, "MODEL.RESNETS.RES2_OUT_CHANNELS", 64),
    *("MODEL.RESNETS.OUT_FEATURES", LEVELS, "MODEL.FPN.IN_FEATURES", LEVELS),
    *("MODEL.FPN.OUT_CHANNELS", 16, "MODEL.RPN.IN_FEATURES", ["p2", "p3", "p4", "p5", "p6"]),
    *("MODEL.ANCHOR_GENERATOR.SIZES", [[8], [16], [32], [64], [128]]),
    *("MODEL.ROI_HEADS.NAME", "StandardROIHeads", "MODEL.ROI_HEADS.NUM_CLASSES", 3),
    *("MODEL.ROI_HEADS.IN_FEATURES", ["p2", "p3", "p4", "p5"]),
    *("MODEL.ROI_BOX_HEAD.NAME", "FastRCNNConvFCHead", "MODEL.ROI_BOX_HEAD.NUM_FC", 1),
    *("MODEL.ROI_BOX_HEAD.FC_DIM", 16, "MODEL.ROI_BOX_HEAD.POOLER_RESOLUTION", 4),
]
AGNOSTIC = ["MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG", True]
RETINANET = ["MODEL.META_ARCHITECTURE", "RetinaNet", "MODEL.RETINANET.NUM_CLASSES", 3]
P2_TO_P6 = [*RETINANET, "MODEL.RETINANET.IN_FEATURES", ["p2", "p3", "p4", "p5", "p6"]]
KINDS = {
    "faster": FASTER,
    "faster_agnostic": [*FASTER, *AGNOSTIC],
    "cascade": [*FASTER, *AGNOSTIC, "MODEL.ROI_HEADS.NAME", "CascadeROIHeads"],
    "retinanet_p2_to_p6": [*FASTER, *P2_TO_P6],
    "retinanet_p3_to_p7": [
        *FASTER,
        *RETINANET,
        *("MODEL.BACKBONE.NAME", "build_retinanet_resnet_fpn_backbone"),
        *("MODEL.RESNETS.OUT_FEATURES", LEVELS[1:], "MODEL.FPN.IN_FEATURES", LEVELS[1:]),
    ],
}


KINDS["fcos"] = FASTER


def build(kind, *overrides):
    cfg = get_cfg()
    cfg.merge_from_list([*KINDS[kind], *overrides])
    if kind != "fcos":
        return build_model(cfg)
    backbone = build_backbone(cfg)  # no config of Detectron2 has FCOS
    shapes = list(backbone.output_shape().values())
    head = FCOSHead(input_shape=shapes, num_classes=3, conv_dims=[8], prior_prob=0.3)
    torch.nn.init.ones_(head.bbox_pred.bias)  # untrained, its boxes have no area
    pixels = {"pixel_mean": cfg.MODEL.PIXEL_MEAN, "pixel_std": [60.0] * 3}
    return FCOS(backbone=backbone, head=head, num_classes=3, **pixels)


@pytest.fixture(scope="module", params=[kind for kind in KINDS if kind != "faster_agnostic"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def model(kind):
    """One a module and kind, which finds something: its scores are high."""
    torch.manual_seed(0)
    detector = build(kind, "MODEL.RETINANET.PRIOR_PROB", 0.4)
    with torch.no_grad():
        for name, parameter in detector.named_parameters():
            if "roi_heads" in name and name.endswith("cls_score.bias"):
                parameter.copy_(torch.tensor([1.0, 1.0, 1.0, 0.0]))
            elif name.startswith("head."):  # scores that are all alike have no order
                parameter += 0.03 * torch.randn_like(parameter)
    return detector


def records(*counts):
    """An image per count, each with that many boxes and a size of its own."""
    batch = []
    for number, count in enumerate(counts):
        height, width = 50 + 13 * number, 64 - 9 * number
        corner = torch.rand(count, 2) * 30
        target = Instances((height, width))
        target.gt_boxes = Boxes(torch.cat([corner, corner + 4 + torch.rand(count, 2) * 16], dim=1))
        target.gt_classes = torch.randint(3, (count,))
        image = torch.randint(0, 256, (3, height, width), dtype=torch.uint8)
        batch.append({"image": image, "instances": target})
    return batch


def train_step(model, batch):
    model.train()
    model.zero_grad()
    with EventStorage() as storage:
        losses = model(batch)
    sum(losses.values()).backward()
    return losses, {name: value for name, (value, _) in storage.latest().items()}


LOSSES = {
    "faster": {"loss_cls", "loss_box_reg", "loss_rpn_cls", "loss_rpn_loc"},
    "cascade": {"loss_rpn_cls", "loss_rpn_loc"}
    | {f"loss_{what}_stage{stage}" for what in ("cls", "box_reg") for stage in range(3)},
    "retinanet": {"loss_cls", "loss_box_reg"},
    "fcos": {"loss_fcos_cls", "loss_fcos_loc", "loss_fcos_ctr"},
}


@pytest.mark.parametrize("kind", KINDS, indirect=True)
def test_a_step_lowers_the_loss_and_every_layer_learns(kind):
    model = build(kind, "MODEL.RESNETS.NORM", "BN", "MODEL.BACKBONE.FREEZE_AT", 0)
    batch = records(4, 2)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.02)
    totals = []
    for _ in range(4):
        model.loss_normalizer = 100.0  # a dense one's runs on; as the samples, so totals compare
        torch.manual_seed(1)
        losses, scalars = train_step(model, batch)
        optimizer.step()
        totals.append(sum(losses.values()).item())
    assert set(losses) == LOSSES[kind.split("_")[0]]
    assert totals[-1] < totals[0]
    parts = ("proposal_generator", "roi_heads", "head")
    heads = [p for part in parts for p in getattr(model, part, torch.nn.Module()).parameters()]
    assert heads and all(p.grad is not None and p.grad.abs().sum() > 0 for p in heads)
    if hasattr(model, "head"):
        assert scalars["num_pos_anchors"] >= 3  # RetinaNet: the best anchor of each box
        return
    assert scalars["rpn/num_pos_anchors"] + scalars["rpn/num_neg_anchors"] == 256
    assert scalars["roi_head/num_fg_samples"] >= 3  # the true boxes themselves
    if kind == "cascade":
        assert 0 <= scalars["stage2/fast_rcnn/cls_accuracy"] <= 1
        assert "stage2/roi_head/num_fg_samples" in scalars
    else:
        assert 0 <= scalars["fast_rcnn/cls_accuracy"] <= 1
        sides = 4 if kind == "faster_agnostic" else 12
        assert model.roi_heads.box_predictor.bbox_pred.out_features == sides


@pytest.mark.parametrize("counts", [(0,), (0, 0), (0, 3), (200,)])
def test_images_without_boxes_and_crowded_ones_train(model, counts):
    losses, _ = train_step(model, records(*counts))
    assert all(torch.isfinite(value) for value in losses.values())
    if sum(counts) == 0:
        assert all(v == 0 for k, v in losses.items() if "_cls" not in k)
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert grads and all(torch.isfinite(grad).all() for grad in grads)


def test_detections_of_a_batch_are_those_of_each_image_and_scale_with_the_record(model):
    model.eval()
    with torch.no_grad():
        batch = records(1, 1)
        batch[1]["image"] = batch[1]["image"][:, :50, :55]
        joint = [output["instances"] for output in model(batch)]
        for record, found in zip(batch, joint, strict=True):
            assert 0 < len(found) <= 100
            assert found.scores.diff().max() <= 0
            alone = model([record])[0]["instances"]
            # Padding differs between a batch and an image alone only where sizes differ in 32s.
            assert found.image_size == alone.image_size == tuple(record["image"].shape[1:])
            height, width = found.image_size
            doubled = model([{**record, "height": 2 * height, "width": 2 * width}])[0]["instances"]
            assert doubled.image_size == (2 * height, 2 * width)
            torch.testing.assert_close(doubled.pred_boxes.tensor, 2 * alone.pred_boxes.tensor)
            corners = alone.pred_boxes.tensor
            assert corners.min() >= 0 and (corners[:, 2:] <= torch.tensor([width, height])).all()
        torch.testing.assert_close(joint[0].scores, model(batch[:1])[0]["instances"].scores)


@pytest.mark.parametrize("kind", ["faster", "cascade"], indirect=True)
def test_raw_detections_and_known_boxes(model):
    batch = records(1, 1)
    with torch.no_grad():
        raw = model.eval().inference(batch, do_postprocess=False)
        assert [len(r) for r in raw] == [len(o["instances"]) for o in model(batch)]
        known = model.inference(batch, detected_instances=raw, do_postprocess=False)
    assert torch.equal(known[0].pred_boxes.tensor, raw[0].pred_boxes.tensor)


def test_numbers_that_are_not_finite_stop_training_but_not_inference():
    model = build("faster")
    with torch.no_grad():
        model.proposal_generator.rpn_head.anchor_deltas.bias.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="diverged"):
        train_step(model, records(2))
    with torch.no_grad():
        assert len(model.eval()(records(2))[0]["instances"]) == 0


@pytest.mark.parametrize(
    ("overrides", "error", "culprit"),
    [
        (("MODEL.MASK_ON", True, "MODEL.ROI_MASK_HEAD.NAME", "No"), KeyError, "No"),
        (("MODEL.KEYPOINT_ON", True), NotImplementedError, "MODEL.KEYPOINT_ON"),
        (("MODEL.ROI_BOX_HEAD.USE_FED_LOSS", True), NotImplementedError, "USE_FED_LOSS"),
        (("MODEL.ROI_HEADS.NAME", "NoSuchHeads"), KeyError, "NoSuchHeads"),
        (("MODEL.ROI_HEADS.NAME", "CascadeROIHeads"), ValueError, "CLS_AGNOSTIC_BBOX_REG"),
        (
            ("MODEL.ROI_HEADS.NAME", "CascadeROIHeads", *AGNOSTIC)
            + ("MODEL.ROI_HEADS.IOU_THRESHOLDS", [0.4]),
            ValueError,
            "IOU_THRESHOLDS",
        ),
        (("MODEL.ROI_BOX_HEAD.NUM_FC", 0), ValueError, "NUM_FC"),
        (("MODEL.ROI_BOX_HEAD.USE_SIGMOID_CE", True), NotImplementedError, "USE_SIGMOID_CE"),
        (("MODEL.PROPOSAL_GENERATOR.NAME", "PrecomputedProposals"), NotImplementedError, "Precomp"),
        (("VIS_PERIOD", 20), NotImplementedError, "VIS_PERIOD"),
        (("MODEL.META_ARCHITECTURE", "RetinaNet"), KeyError, "p7"),
        ((*P2_TO_P6, "VIS_PERIOD", 1), NotImplementedError, "VIS_PERIOD"),
        (
            (*P2_TO_P6, "MODEL.ANCHOR_GENERATOR.SIZES", [[8], [8], [8], [8], [8, 9]]),
            ValueError,
            "one number of anchors",
        ),
        (("MODEL.PIXEL_STD", [1.0]), ValueError, "PIXEL_STD"),
    ],
)
def test_what_cannot_be_built_is_named(overrides, error, culprit):
    with pytest.raises(error, match=culprit):
        build("faster", *overrides)


def test_training_records_without_instances_are_named(model):
    with pytest.raises(ValueError, match="instances"):
        train_step(model, [{"image": records(0)[0]["image"]}])


def test_half_precision_autocast_trains_and_detects(model):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses, _ = train_step(model, records(3, 0))
        with torch.no_grad():
            found = model.eval()(records(1))[0]["instances"]
    assert all(torch.isfinite(value) for value in losses.values())
    assert found.pred_boxes.tensor.dtype == torch.float32


class Flat(torch.nn.Module):
    """A detector as a trace takes it: from one image to the tensors that ``detect`` gives."""

    def __init__(self, model, detect):
        super().__init__()
        self.model, self.detect = model, detect

    def forward(self, image):
        return self.detect(self.model, [{"image": image}])


def assert_traces(model, detect):
    flat = Flat(model.eval(), detect)
    with torch.no_grad():
        traced = torch.jit.trace(flat, records(1)[0]["image"], check_trace=False)
        for size in ((97, 70), (40, 131)):
            other = torch.randint(0, 256, (3, *size), dtype=torch.uint8)
            assert len(flat(other)[0]) > 0
            for ours, expected in zip(traced(other), flat(other), strict=True):
                torch.testing.assert_close(ours, expected)


@pytest.mark.filterwarnings("ignore")
def test_a_trace_takes_images_of_other_sizes(model):
    def detect(model, batch):
        found = model(batch)[0]["instances"]
        return found.pred_boxes.tensor, found.scores, found.pred_classes

    assert_traces(model, detect)
