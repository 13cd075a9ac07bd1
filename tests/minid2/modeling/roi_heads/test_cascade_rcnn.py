"""Cascade heads: what goes from stage to stage, against loops over boxes."""

import pytest
import torch
from torch import nn
from torchvision.ops import box_iou

from minid2.layers import ShapeSpec
from minid2.modeling.box_regression import Box2BoxTransform
from minid2.modeling.matcher import Matcher
from minid2.modeling.poolers import ROIPooler
from minid2.modeling.roi_heads import CascadeROIHeads, FastRCNNConvFCHead, FastRCNNOutputLayers
from minid2.structures import Boxes, ImageList, Instances
from minid2.utils.events import EventStorage

SIZES = [(40, 48), (33, 41)]


def heads(stages=3, **options):
    region = ShapeSpec(channels=4, height=3, width=3)
    return CascadeROIHeads(
        num_classes=2,
        batch_size_per_image=16,
        positive_fraction=0.25,
        box_in_features=["p2"],
        box_pooler=ROIPooler(
            output_size=3, scales=[0.25], sampling_ratio=1, pooler_type="ROIAlignV2"
        ),
        box_heads=[FastRCNNConvFCHead(region, conv_dims=[], fc_dims=[8]) for _ in range(stages)],
        box_predictors=[
            FastRCNNOutputLayers(
                8,
                box2box_transform=Box2BoxTransform((10.0, 10.0, 5.0, 5.0)),
                num_classes=2,
                cls_agnostic_bbox_reg=True,
                **options,
            )
            for _ in range(stages)
        ],
        proposal_matchers=[Matcher([0.5 + 0.1 * stage], [0, 1]) for stage in range(stages)],
    )


@pytest.fixture
def scene():
    """The batch, its features, proposals around its objects, and the objects; one image empty."""
    features = {"p2": torch.randn(2, 4, 10, 12)}
    targets, proposals = [], []
    for size, count in zip(SIZES, (3, 0), strict=True):
        corner = torch.rand(count, 2) * 15
        truth = torch.cat([corner, corner + 8 + torch.rand(count, 2) * 8], dim=1)
        gt_classes = torch.randint(2, (count,))
        targets.append(Instances(size, gt_boxes=Boxes(truth), gt_classes=gt_classes))
        loose = torch.rand(6, 2) * 10
        boxes = torch.cat([truth + torch.randn(4), torch.cat([loose, loose + 12], dim=1)])
        logits = torch.zeros(len(boxes))
        proposals.append(
            Instances(size, proposal_boxes=Boxes(boxes.clamp(min=0)), objectness_logits=logits)
        )
    return ImageList(torch.zeros(2, 3, 40, 48), SIZES), features, proposals, targets


def test_state_dict_names_the_stages():
    keys = list(heads(stages=2).state_dict())
    parts = {key.rsplit(".", 2)[0] for key in keys}
    assert parts == {"box_head.0", "box_head.1", "box_predictor.0", "box_predictor.1"}
    assert len(keys) == 2 * (2 + 4)
    with pytest.raises(ValueError, match="as many box_predictors"):
        one = heads(stages=1)
        CascadeROIHeads(
            box_in_features=["p2"],
            box_pooler=one.box_pooler,
            box_heads=list(one.box_head),
            box_predictors=[],
            proposal_matchers=one.proposal_matchers,
        )


def test_boxes_between_stages_are_clipped_and_kept_or_dropped():
    boxes = torch.tensor([[-3.0, 2, 9, 60], [5, 5, 5, 9], [50, 1, 60, 4], [1, 1, 2, 2]])
    clipped = [[0.0, 2, 9, 40], [5, 5, 5, 9], [48, 1, 48, 4], [1, 1, 2, 2]]
    cascade = heads()
    for training, expected in ((False, clipped), (True, [clipped[0], clipped[3]])):
        given = boxes.clone().requires_grad_()
        (found,) = cascade.train(training)._create_proposals_from_boxes([given], SIZES[:1])
        assert found.proposal_boxes.tensor.tolist() == expected
        assert not found.proposal_boxes.tensor.requires_grad and torch.equal(given, boxes)


def test_each_stage_matches_anew_at_its_own_overlap(scene):
    _, _, proposals, targets = scene
    cascade = heads()
    for stage in range(3):
        with EventStorage() as storage:
            labelled = cascade._match_and_label_boxes(proposals, stage, targets)
        objects = 0
        for boxes, truth in zip(labelled, targets, strict=True):
            overlaps = box_iou(boxes.proposal_boxes.tensor, truth.gt_boxes.tensor)
            for row, overlap in enumerate(overlaps):
                best = overlap.argmax() if len(truth) else None
                is_object = best is not None and overlap[best] >= 0.5 + 0.1 * stage
                expected = truth.gt_classes[best] if is_object else 2
                assert boxes.gt_classes[row] == expected
                objects += is_object
                if is_object:
                    assert torch.equal(boxes.gt_boxes.tensor[row], truth.gt_boxes.tensor[best])
        latest = {name: value for name, (value, _) in storage.latest().items()}
        total = sum(len(boxes) for boxes in labelled)
        assert latest == {
            f"stage{stage}/roi_head/num_fg_samples": objects / 2,
            f"stage{stage}/roi_head/num_bg_samples": (total - objects) / 2,
        }


@pytest.mark.parametrize("stages", [1, 3])
def test_scores_are_means_over_stages_and_boxes_those_of_the_last(scene, stages):
    images, features, proposals, _ = scene
    cascade = heads(stages, test_score_thresh=0.0, test_nms_thresh=1.0, test_topk_per_image=-1)
    for predictor in cascade.box_predictor:
        nn.init.normal_(predictor.bbox_pred.weight, std=0.5)
        nn.init.normal_(predictor.cls_score.weight, std=0.5)
    with torch.no_grad():
        found, losses = cascade.eval()(images, features, proposals)
        assert losses == {}
        boxes, scores = [p.proposal_boxes.tensor for p in proposals], torch.zeros(15, 3)
        for stage in range(stages):
            pooled = cascade.box_pooler([features["p2"]], [Boxes(b) for b in boxes])
            predictor = cascade.box_predictor[stage]
            logits, deltas = predictor(cascade.box_head[stage](pooled))
            scores += logits.softmax(dim=1) / stages
            decoded = predictor.box2box_transform.apply_deltas(deltas, torch.cat(boxes))
            boxes = list(decoded.split([9, 6]))
            for each, (height, width) in zip(boxes, SIZES, strict=True):
                each[:, 0::2] = each[:, 0::2].clamp(0, width)
                each[:, 1::2] = each[:, 1::2].clamp(0, height)
    for instances, corners, rates in zip(found, boxes, scores.split([9, 6]), strict=True):
        assert len(instances) == 2 * len(corners)
        order = rates[:, :2].flatten().argsort(descending=True)
        torch.testing.assert_close(instances.scores, rates[:, :2].flatten()[order])
        assert torch.equal(instances.pred_classes, order % 2)
        torch.testing.assert_close(instances.pred_boxes.tensor, corners[order // 2])


def test_the_stages_share_the_gradient_of_the_features(scene):
    images, features, proposals, targets = scene
    gradients = {}
    for training in (True, False):
        cascade = heads().train(training)
        torch.manual_seed(3)
        for parameter in cascade.parameters():
            nn.init.normal_(parameter)
        level = features["p2"].clone().requires_grad_()
        logits, deltas = cascade._run_stage([level], proposals, 1)
        (logits.sum() + deltas.sum()).backward()
        gradients[training] = level.grad, cascade.box_head[1].fc1.weight.grad
    torch.testing.assert_close(3 * gradients[True][0], gradients[False][0])
    torch.testing.assert_close(gradients[True][1], gradients[False][1])


def test_without_proposals_losses_are_zero_and_nothing_is_found(scene):
    images, features, _, targets = scene
    cascade = heads()
    none = [Instances(s, proposal_boxes=Boxes(torch.zeros(0, 4))) for s in SIZES]
    for each in none:
        each.objectness_logits = torch.zeros(0)
    with torch.no_grad():
        assert [len(found) for found in cascade.eval()(images, features, none)[0]] == [0, 0]
    empty = [targets[1], targets[1]]
    with EventStorage():
        _, losses = cascade.train()(images, features, none, empty)
    assert len(losses) == 6 and all(value == 0 for value in losses.values())
