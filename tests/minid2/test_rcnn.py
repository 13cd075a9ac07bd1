"""The two-stage detector: training, detections, empty images, bad input.

The models are tiny and get random inputs; oracles are naive loops over torchvision's operators.
"""

import pytest
import torch
from torchvision.ops import box_iou, nms

from minid2.config import get_cfg
from minid2.layers import ShapeSpec
from minid2.modeling import build_model
from minid2.modeling.box_regression import Box2BoxTransform, matched_box_loss
from minid2.modeling.proposal_generator.proposal_utils import (
    add_ground_truth_to_proposals,
    find_top_rpn_proposals,
)
from minid2.modeling.roi_heads import FastRCNNConvFCHead
from minid2.modeling.roi_heads.fast_rcnn import fast_rcnn_inference
from minid2.structures import Boxes, Instances
from minid2.utils.events import EventStorage

BASE = [
    *("MODEL.DEVICE", "cpu", "MODEL.BACKBONE.NAME", "build_resnet_fpn_backbone"),
    *("MODEL.RESNETS.DEPTH", 18, "MODEL.RESNETS.RES2_OUT_CHANNELS", 64),
    *("MODEL.RESNETS.OUT_FEATURES", ["res2", "res3", "res4", "res5"]),
    *("MODEL.FPN.IN_FEATURES", ["res2", "res3", "res4", "res5"], "MODEL.FPN.OUT_CHANNELS", 16),
    *("MODEL.RPN.IN_FEATURES", ["p2", "p3", "p4", "p5", "p6"]),
    *("MODEL.ANCHOR_GENERATOR.SIZES", [[8], [16], [32], [64], [128]]),
    *("MODEL.ROI_HEADS.NAME", "StandardROIHeads", "MODEL.ROI_HEADS.NUM_CLASSES", 3),
    *("MODEL.ROI_HEADS.IN_FEATURES", ["p2", "p3", "p4", "p5"]),
    *("MODEL.ROI_BOX_HEAD.NAME", "FastRCNNConvFCHead", "MODEL.ROI_BOX_HEAD.NUM_FC", 1),
    *("MODEL.ROI_BOX_HEAD.FC_DIM", 16, "MODEL.ROI_BOX_HEAD.POOLER_RESOLUTION", 4),
]


def build(*overrides):
    cfg = get_cfg()
    cfg.merge_from_list([*BASE, *overrides])
    return build_model(cfg)


@pytest.fixture(scope="module")
def shared_model():
    torch.manual_seed(0)
    return build()


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


@pytest.mark.parametrize("agnostic", [False, True])
def test_a_step_lowers_the_loss_and_every_layer_learns(agnostic):
    norm = ("MODEL.RESNETS.NORM", "BN", "MODEL.BACKBONE.FREEZE_AT", 0)
    model = build("MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG", agnostic, *norm)
    batch = records(4, 2)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.02)
    totals = []
    for _ in range(4):
        torch.manual_seed(1)  # the same samples, so that the totals compare
        losses, scalars = train_step(model, batch)
        optimizer.step()
        totals.append(sum(losses.values()).item())
    assert set(losses) == {"loss_cls", "loss_box_reg", "loss_rpn_cls", "loss_rpn_loc"}
    assert totals[-1] < totals[0]
    heads = [*model.proposal_generator.parameters(), *model.roi_heads.parameters()]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in heads)
    assert model.roi_heads.box_predictor.bbox_pred.out_features == (4 if agnostic else 12)
    assert scalars["rpn/num_pos_anchors"] + scalars["rpn/num_neg_anchors"] == 256
    assert scalars["roi_head/num_fg_samples"] >= 3  # the true boxes themselves
    assert 0 <= scalars["fast_rcnn/cls_accuracy"] <= 1


@pytest.mark.parametrize("counts", [(0,), (0, 0), (0, 3)])
def test_images_without_boxes_train(shared_model, counts):
    losses, _ = train_step(shared_model, records(*counts))
    assert all(torch.isfinite(value) for value in losses.values())
    if sum(counts) == 0:
        assert losses["loss_box_reg"] == 0 and losses["loss_rpn_loc"] == 0
    grads = [p.grad for p in shared_model.parameters() if p.grad is not None]
    assert grads and all(torch.isfinite(grad).all() for grad in grads)


def test_detections_of_a_batch_are_those_of_each_image_and_scale_with_the_record(shared_model):
    model = shared_model.eval()
    with torch.no_grad():
        model.roi_heads.box_predictor.cls_score.bias.copy_(torch.tensor([1.0, 1.0, 1.0, 0.0]))
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
        raw = model.inference(batch, do_postprocess=False)
        assert [len(r) for r in raw] == [len(j) for j in joint]
        known = model.inference(batch, detected_instances=raw, do_postprocess=False)
        assert torch.equal(known[0].pred_boxes.tensor, raw[0].pred_boxes.tensor)


def test_numbers_that_are_not_finite_stop_training_but_not_inference():
    model = build()
    with torch.no_grad():
        model.proposal_generator.rpn_head.anchor_deltas.bias.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="diverged"):
        train_step(model, records(2))
    with torch.no_grad():
        assert len(model.eval()(records(2))[0]["instances"]) == 0


@pytest.mark.parametrize(
    ("overrides", "error", "culprit"),
    [
        (("MODEL.MASK_ON", True), NotImplementedError, "MODEL.MASK_ON"),
        (("MODEL.KEYPOINT_ON", True), NotImplementedError, "MODEL.KEYPOINT_ON"),
        (("MODEL.ROI_BOX_HEAD.USE_FED_LOSS", True), NotImplementedError, "USE_FED_LOSS"),
        (("MODEL.ROI_HEADS.NAME", "NoSuchHeads"), KeyError, "NoSuchHeads"),
        (("MODEL.ROI_BOX_HEAD.NUM_FC", 0), ValueError, "NUM_FC"),
        (("MODEL.ROI_BOX_HEAD.USE_SIGMOID_CE", True), NotImplementedError, "USE_SIGMOID_CE"),
        (("MODEL.PROPOSAL_GENERATOR.NAME", "PrecomputedProposals"), NotImplementedError, "Precomp"),
        (("VIS_PERIOD", 20), NotImplementedError, "VIS_PERIOD"),
        (("MODEL.PIXEL_STD", [1.0]), ValueError, "PIXEL_STD"),
    ],
)
def test_what_cannot_be_built_is_named(overrides, error, culprit):
    with pytest.raises(error, match=culprit):
        build(*overrides)


def test_training_records_without_instances_are_named(shared_model):
    with pytest.raises(ValueError, match="instances"):
        train_step(shared_model, [{"image": records(0)[0]["image"]}])


def random_boxes(count, sides=1):
    corner = torch.rand(count, sides, 2) * 50 - 5
    return torch.cat([corner, corner + torch.rand(count, sides, 2) * 30], dim=2).flatten(1)


def test_proposals_agree_with_a_loop_over_levels():
    levels, logits = [random_boxes(90), random_boxes(30)], [torch.randn(90), torch.randn(30)]
    pool = []
    for boxes, scores in zip(levels, logits, strict=True):
        best = scores.argsort(descending=True)[:40]
        boxes, scores = boxes[best].clamp(min=0), scores[best]
        boxes[:, 0::2].clamp_(max=45)
        boxes[:, 1::2].clamp_(max=40)
        large = ((boxes[:, 2:] - boxes[:, :2]) > 3).all(dim=1)
        kept = nms(boxes[large], scores[large], 0.6)
        pool.append(torch.cat([boxes[large][kept], scores[large][kept, None]], dim=1))
    pool = torch.cat(pool)
    expected = pool[pool[:, 4].argsort(descending=True)][:25]
    found = find_top_rpn_proposals(
        [x[None] for x in levels], [x[None] for x in logits], [(40, 45)], 0.6, 40, 25, 3.0, True
    )[0]
    torch.testing.assert_close(found.proposal_boxes.tensor, expected[:, :4])
    torch.testing.assert_close(found.objectness_logits, expected[:, 4])


@pytest.mark.parametrize("agnostic", [False, True])
def test_detections_agree_with_a_loop_over_classes(agnostic):
    boxes = random_boxes(60, 1 if agnostic else 3)
    scores = torch.rand(60, 4)
    boxes[7, 2] = float("nan")
    pool = []
    for label in range(3):
        own = boxes if agnostic else boxes[:, 4 * label : 4 * label + 4]
        rows = [r for r in range(60) if r != 7 and scores[r, label] > 0.3]
        clipped = own[rows].clamp(min=0)
        clipped = torch.minimum(clipped, torch.tensor([45.0, 40.0, 45.0, 40.0]))
        for index in nms(clipped, scores[rows, label], 0.5).tolist():
            pool.append((float(scores[rows[index], label]), label, rows[index], clipped[index]))
    pool = sorted(pool, key=lambda item: -item[0])[:30]
    (found,), (origin,) = fast_rcnn_inference([boxes], [scores], [(40, 45)], 0.3, 0.5, 30)
    assert found.scores.tolist() == [item[0] for item in pool]
    assert found.pred_classes.tolist() == [item[1] for item in pool]
    assert origin.tolist() == [item[2] for item in pool]
    torch.testing.assert_close(found.pred_boxes.tensor, torch.stack([item[3] for item in pool]))


def test_true_boxes_join_the_proposals_and_are_sampled_as_objects(shared_model):
    heads = shared_model.roi_heads
    target = records(3)[0]["instances"]
    proposals = Instances(target.image_size)
    proposals.proposal_boxes = Boxes(random_boxes(100))
    proposals.objectness_logits = torch.randn(100)
    joined = add_ground_truth_to_proposals([target], [proposals])[0]
    assert len(joined) == 103 and joined.objectness_logits[-3:].sigmoid().min() > 0.999
    with EventStorage():
        sample = heads.label_and_sample_proposals([proposals], [target])[0]
    overlap = box_iou(sample.proposal_boxes.tensor, target.gt_boxes.tensor)
    is_object = sample.gt_classes < 3
    assert torch.equal(is_object, overlap.max(dim=1).values >= 0.5) and is_object.sum() >= 3
    owner = overlap.argmax(dim=1)[is_object]
    assert torch.equal(sample.gt_classes[is_object], target.gt_classes[owner])
    assert torch.equal(sample.gt_boxes.tensor[is_object], target.gt_boxes.tensor[owner])


def test_regression_losses_vanish_on_the_target():
    transform = Box2BoxTransform(weights=(10.0, 10.0, 5.0, 5.0))
    source, target = random_boxes(6) + 6, random_boxes(6) + 6
    target[:, 2:] += 2
    source[:, 2:] += 2
    exact = transform.get_deltas(source, target)
    for kind in ("smooth_l1", "giou", "diou", "ciou"):
        shared = {"transform": transform, "kind": kind, "beta": 0.0}
        assert matched_box_loss(exact, source, target, **shared) < 1e-4
        assert matched_box_loss(exact + 1, source, target, **shared) > 0.1
    with pytest.raises(ValueError, match="'l2'"):
        matched_box_loss(exact, source, target, transform=transform, kind="l2", beta=0.0)


def test_box_head_shapes():
    region = ShapeSpec(channels=6, height=5, width=5)
    convolutions = FastRCNNConvFCHead(region, conv_dims=[32, 64], fc_dims=[], conv_norm="GN")
    assert convolutions(torch.rand(2, 6, 5, 5)).shape == (2, 64, 5, 5)
    assert convolutions.output_shape == ShapeSpec(channels=64, height=5, width=5)
    both = FastRCNNConvFCHead(region, conv_dims=[4], fc_dims=[7, 9])
    assert both(torch.rand(0, 6, 5, 5)).shape == (0, 9) and both.output_shape.channels == 9


def test_half_precision_autocast_trains_and_detects(shared_model):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses, _ = train_step(shared_model, records(3, 0))
        with torch.no_grad():
            found = shared_model.eval()(records(1))[0]["instances"]
    assert all(torch.isfinite(value) for value in losses.values())
    assert found.pred_boxes.tensor.dtype == torch.float32


@pytest.mark.filterwarnings("ignore")
def test_a_trace_takes_images_of_other_sizes(shared_model):
    class Flat(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, image):
            found = self.model.inference([{"image": image}], do_postprocess=False)[0]
            return found.pred_boxes.tensor, found.scores, found.pred_classes

    flat = Flat(shared_model.eval())
    with torch.no_grad():
        traced = torch.jit.trace(flat, records(1)[0]["image"], check_trace=False)
        other = torch.randint(0, 256, (3, 97, 70), dtype=torch.uint8)
        for ours, expected in zip(traced(other), flat(other), strict=True):
            torch.testing.assert_close(ours, expected)
