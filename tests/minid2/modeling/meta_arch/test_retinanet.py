"""RetinaNet's labels, losses, decoding and head, against loops over anchors."""

import math

import pytest
import torch
from torch import nn
from torchvision.ops import box_iou, nms, sigmoid_focal_loss

from minid2.layers import CycleBatchNormList, ShapeSpec
from minid2.modeling import Backbone
from minid2.modeling.anchor_generator import DefaultAnchorGenerator
from minid2.modeling.box_regression import Box2BoxTransform
from minid2.modeling.matcher import Matcher
from minid2.modeling.meta_arch import DenseDetector, RetinaNet
from minid2.modeling.meta_arch.dense_detector import permute_to_N_HWA_K
from minid2.modeling.meta_arch.retinanet import RetinaNetHead
from minid2.structures import Boxes, Instances
from minid2.utils.events import EventStorage


class Pooled(Backbone):
    """Two feature maps of the pixels' means, the coarser one first."""

    _out_features = ["coarse", "fine"]
    _out_feature_channels = {"coarse": 3, "fine": 3}
    _out_feature_strides = {"coarse": 8, "fine": 4}

    def forward(self, x):
        strides = self._out_feature_strides
        return {name: nn.functional.avg_pool2d(x, strides[name]) for name in self._out_features}


@pytest.fixture
def model():
    shapes = [ShapeSpec(channels=3, stride=4), ShapeSpec(channels=3, stride=8)]
    return RetinaNet(
        backbone=Pooled(),
        head=RetinaNetHead(input_shape=shapes, num_classes=3, num_anchors=2, conv_dims=[6]),
        head_in_features=["fine", "coarse"],
        anchor_generator=DefaultAnchorGenerator(
            sizes=[[6, 9], [12, 18]], aspect_ratios=[1.0], strides=[4, 8]
        ),
        box2box_transform=Box2BoxTransform((1.0, 1.0, 1.0, 1.0)),
        anchor_matcher=Matcher([0.4, 0.5], [0, -1, 1], allow_low_quality_matches=True),
        num_classes=3,
        test_score_thresh=0.3,
        test_topk_candidates=50,
        test_nms_thresh=0.4,
        max_detections_per_image=20,
        pixel_mean=[0.0, 0.0, 0.0],
        pixel_std=[1.0, 1.0, 1.0],
    )


def anchors_of(model):
    return model.anchor_generator([torch.zeros(1, 3, 6, 8), torch.zeros(1, 3, 3, 4)])


def targets():
    """Three objects in one image, none in the other."""
    corner = torch.rand(3, 2) * 12
    boxes = torch.cat([corner, corner + 5 + torch.rand(3, 2) * 8], dim=1)
    full = Instances((24, 32), gt_boxes=Boxes(boxes), gt_classes=torch.tensor([2, 0, 2]))
    return [full, full[:0]]


def test_labels_agree_with_a_loop_over_anchors(model):
    anchors = anchors_of(model)
    full, _ = batch = targets()
    labels, boxes = model.label_anchors(anchors, batch)
    joined = Boxes.cat(anchors).tensor
    overlaps = box_iou(joined, full.gt_boxes.tensor)
    best_of_truth = overlaps.max(dim=0).values
    for row, overlap in enumerate(overlaps):
        best, owner = overlap.max(dim=0)
        if best >= 0.5 or (overlap == best_of_truth).any():
            assert labels[0][row] == full.gt_classes[owner]
            assert torch.equal(boxes[0][row], full.gt_boxes.tensor[owner])
        else:
            assert labels[0][row] == (3 if best < 0.4 else -1)
    assert torch.equal(labels[1], torch.full((120,), 3)) and boxes[1].shape == (120, 4)


def test_losses_agree_with_a_loop_and_their_normalizer_follows_the_objects(model):
    anchors = anchors_of(model)
    labels, boxes = model.label_anchors(anchors, targets())
    logits = [torch.randn(2, len(level), 3) for level in anchors]
    deltas = [torch.randn(2, len(level), 4) for level in anchors]
    joined = Boxes.cat(anchors).tensor
    expected_cls = expected_box = torch.zeros(())
    objects = 0
    for image in range(2):
        rows, shifts = (torch.cat([level[image] for level in x]) for x in (logits, deltas))
        for row, label in enumerate(labels[image].tolist()):
            if label == -1:
                continue
            truth = torch.zeros(3)
            if label < 3:
                truth[label] = 1
                objects += 1
                goal = model.box2box_transform.get_deltas(joined[[row]], boxes[image][[row]])
                expected_box = expected_box + (shifts[row] - goal).abs().sum()
            loss = sigmoid_focal_loss(rows[row], truth, alpha=0.25, gamma=2, reduction="sum")
            expected_cls = expected_cls + loss
    assert objects >= 3
    normalizer = 100.0
    for _ in range(2):
        with EventStorage() as storage:
            found = model.losses(anchors, logits, labels, deltas, boxes)
        normalizer = 0.9 * normalizer + 0.1 * objects
        assert model.loss_normalizer == pytest.approx(normalizer)
        assert storage.latest() == {"num_pos_anchors": (objects / 2, 0)}
        torch.testing.assert_close(found["loss_cls"], expected_cls / normalizer)
        torch.testing.assert_close(found["loss_box_reg"], expected_box / normalizer)
    assert not any("normalizer" in key for key in model.state_dict())


def test_detections_agree_with_a_loop_over_levels_and_classes(model):
    anchors = anchors_of(model)
    scores = [torch.rand(len(level), 3) for level in anchors]
    deltas = [0.3 * torch.randn(len(level), 4) for level in anchors]
    pool = []
    for level, rates, shifts in zip(anchors, scores, deltas, strict=True):
        decoded = model.box2box_transform.apply_deltas(shifts, level.tensor)
        rows = [(r, c) for r in range(len(level)) for c in range(3) if rates[r, c] > 0.3]
        rows = sorted(rows, key=lambda place: -rates[place])[:50]
        pool += [(rates[place], place[1], decoded[place[0]]) for place in rows]
    kept = []
    for label in range(3):
        own = [each for each in pool if each[1] == label]
        boxes, rates = torch.stack([each[2] for each in own]), torch.stack([e[0] for e in own])
        kept += [own[index] for index in nms(boxes, rates, 0.4).tolist()]
    kept = sorted(kept, key=lambda each: -each[0])[:20]
    found = model.inference_single_image(anchors, scores, deltas, (24, 32))
    assert len(found) == len(kept) == 20 and found.image_size == (24, 32)
    torch.testing.assert_close(found.scores, torch.stack([each[0] for each in kept]))
    assert found.pred_classes.tolist() == [each[1] for each in kept]
    torch.testing.assert_close(found.pred_boxes.tensor, torch.stack([each[2] for each in kept]))


def test_predictions_take_the_order_of_the_anchors():
    tensor = torch.arange(2 * 6 * 4 * 5).reshape(2, 2 * 3, 4, 5)
    found = permute_to_N_HWA_K(tensor, 3)
    assert found.shape == (2, 40, 3)
    for row, column, anchor in ((0, 0, 1), (2, 3, 0), (3, 4, 1)):
        place = (row * 5 + column) * 2 + anchor
        assert torch.equal(found[1, place], tensor[1, anchor * 3 : anchor * 3 + 3, row, column])


def test_a_subclass_of_dense_detector_says_what_to_lose_and_find():
    class Means(DenseDetector):
        def forward_training(self, images, features, predictions, gt_instances):
            return {"loss": predictions[0].sum() * len(gt_instances)}

        def forward_inference(self, images, features, predictions):
            box = Boxes(torch.tensor([[0.0, 0.0, 8.0, 8.0]]))
            return [Instances(size, pred_boxes=box) for size in images.image_sizes]

    model = Means(Pooled(), nn.Identity(), pixel_mean=[0.0] * 3, pixel_std=[1.0] * 3)
    assert model.head_in_features == ["fine", "coarse"]
    record = {"image": torch.ones(3, 16, 16), "instances": targets()[1], "height": 32}
    assert model.train()([record])["loss"] == 3 * 4 * 4
    (found,) = model.eval()([record])
    assert found["instances"].pred_boxes.tensor.tolist() == [[0, 0, 8, 16]]


@pytest.mark.parametrize(("norm", "keys"), [("", 8), ("GN", 12), ("BN", 24), ("SyncBN", 24)])
def test_head_starts_at_the_prior_and_has_statistics_by_level(norm, keys):
    shapes = [ShapeSpec(channels=32, stride=8)] * 2
    head = RetinaNetHead(
        input_shape=shapes, num_classes=3, num_anchors=2, conv_dims=[32], norm=norm, prior_prob=0.2
    )
    assert len(head.state_dict()) == keys
    maps = [torch.randn(2, 32, 8, 8), torch.randn(2, 32, 4, 4)]
    logits, deltas = head.eval()(maps)
    for level, scores, boxes in zip(maps, logits, deltas, strict=True):
        size = level.shape[-2:]
        assert scores.shape == (2, 6, *size) and boxes.shape == (2, 8, *size)
    assert head.cls_score.bias.tolist() == pytest.approx([-math.log(4)] * 6)
    assert logits[0].sigmoid().mean().item() == pytest.approx(0.2, abs=0.02)


def test_norms_in_turns():
    norms = CycleBatchNormList(2, num_features=3)
    nn.init.normal_(norms.weight)
    nn.init.normal_(norms.bias)
    inputs = [torch.randn(4, 3, 5, 5), 7 + 3 * torch.randn(4, 3, 5, 5)]
    factor, offset = norms.weight.view(-1, 1, 1), norms.bias.view(-1, 1, 1)
    for _ in range(2):
        for x in inputs:
            plain = nn.functional.batch_norm(x, None, None, training=True)
            torch.testing.assert_close(norms(x), plain * factor + offset)
    for norm, x in zip(norms, inputs, strict=True):
        expected = (1 - 0.9**2) * x.mean(dim=(0, 2, 3))
        torch.testing.assert_close(norm.running_mean, expected)
