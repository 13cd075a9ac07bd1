"""The parts of the two-stage detector: proposals, detections, samples, losses, box heads.

Oracles are naive loops over torchvision's operators.
"""

import pytest
import torch
from torchvision.ops import box_iou, nms

from minid2.layers import ShapeSpec
from minid2.modeling.box_regression import Box2BoxTransform, matched_box_loss
from minid2.modeling.matcher import Matcher
from minid2.modeling.proposal_generator.proposal_utils import (
    add_ground_truth_to_proposals,
    find_top_rpn_proposals,
)
from minid2.modeling.roi_heads import FastRCNNConvFCHead, ROIHeads
from minid2.modeling.roi_heads.fast_rcnn import FastRCNNOutputLayers, fast_rcnn_inference
from minid2.structures import Boxes, Instances
from minid2.utils.events import EventStorage


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


def test_true_boxes_join_the_proposals_and_are_sampled_as_objects():
    heads = ROIHeads(
        num_classes=3,
        batch_size_per_image=512,
        positive_fraction=0.25,
        proposal_matcher=Matcher([0.5], [0, 1]),
    )
    corner = torch.rand(3, 2) * 30
    target = Instances((50, 64), gt_classes=torch.randint(3, (3,)))
    target.gt_boxes = Boxes(torch.cat([corner, corner + 4 + torch.rand(3, 2) * 16], dim=1))
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


def test_no_image_at_all_has_losses_of_zero_with_a_gradient():
    shape, transform = ShapeSpec(channels=3), Box2BoxTransform((10, 10, 5, 5))
    layers = FastRCNNOutputLayers(shape, box2box_transform=transform, num_classes=2)
    predictions = layers(torch.zeros(0, 3))
    losses = layers.losses(predictions, [])
    assert set(losses) == {"loss_cls", "loss_box_reg"} and sum(losses.values()) == 0
    sum(losses.values()).backward()
    assert layers.cls_score.weight.grad is not None
    assert layers.inference(predictions, []) == ([], [])


def test_a_trace_of_the_choice_of_proposals_takes_any_number_of_anchors():
    def choose(boxes, logits, size):
        found = find_top_rpn_proposals([boxes], [logits], [size], 0.7, 100, 50, 0.0, False)[0]
        return found.proposal_boxes.tensor, found.objectness_logits

    def anchors(count, side):
        corner = torch.rand(1, count, 2) * side
        boxes = torch.cat([corner, corner + 1 + torch.rand(1, count, 2) * 9], dim=2)
        return boxes, torch.rand(1, count), torch.tensor([side, side])

    torch.manual_seed(0)
    # more than go into the suppression, then fewer: torch compares the graphs and the results
    others = [anchors(150, 60), anchors(40, 200)]
    torch.jit.trace(choose, anchors(300, 100), check_inputs=others)
