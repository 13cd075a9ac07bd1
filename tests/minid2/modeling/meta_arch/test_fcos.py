"""FCOS's points, losses, scores and head, against loops over points and objects."""

import math

import pytest
import torch
from torch import nn
from torchvision.ops import generalized_box_iou_loss, nms, sigmoid_focal_loss

from minid2.config import LazyCall, instantiate
from minid2.layers import ShapeSpec
from minid2.modeling import FCOS, Backbone
from minid2.modeling.meta_arch.fcos import FCOSHead
from minid2.structures import Boxes, Instances
from minid2.utils.events import EventStorage

STRIDES = {"fine": 4, "middle": 8, "coarse": 16}


class Pooled(Backbone):
    """Three feature maps of the pixels' means, the coarsest first."""

    _out_features = ["coarse", "middle", "fine"]
    _out_feature_channels = dict.fromkeys(STRIDES, 3)
    _out_feature_strides = STRIDES
    size_divisibility = 16

    def forward(self, x):
        return {name: nn.functional.avg_pool2d(x, STRIDES[name]) for name in self._out_features}


def build(**options):
    shapes = [ShapeSpec(channels=3, stride=stride) for stride in STRIDES.values()]
    return FCOS(
        backbone=Pooled(),
        head=FCOSHead(input_shape=shapes, num_classes=3, conv_dims=[6], prior_prob=0.3),
        num_classes=3,
        pixel_mean=[120.0, 120.0, 120.0],
        pixel_std=[60.0, 60.0, 60.0],
        **options,
    )


@pytest.fixture
def model():
    """One with boxes of some area, and scores that are far apart."""
    torch.manual_seed(0)
    found = build(test_score_thresh=0.3, test_topk_candidates=50, max_detections_per_image=20)
    with torch.no_grad():
        for parameter in found.head.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
        found.head.bbox_pred.bias += 1
    return found


def points_of(model):
    return model.anchor_generator([torch.zeros(1, 3, 96 // s, 128 // s) for s in STRIDES.values()])


def target(count=30):
    """Objects of all sizes in an image of 96 x 128."""
    corner = torch.rand(count, 2) * torch.tensor([100.0, 70.0])
    boxes = torch.cat([corner, corner + 3 + torch.rand(count, 2) * 180], dim=1)
    found = Instances((96, 128), gt_boxes=Boxes(boxes))
    found.gt_classes = torch.randint(3, (count,))
    return found


def owner_of(x, y, stride, boxes, radius=1.5):
    """Number of the smallest object that has the point, or None."""
    lower, upper = (0 if stride == 4 else 4 * stride), (math.inf if stride == 16 else 8 * stride)
    areas = {}
    for number, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        sides = (x - x1, y - y1, x2 - x, y2 - y)
        central = max(abs(x - (x1 + x2) / 2), abs(y - (y1 + y2) / 2)) < radius * stride
        if central and min(sides) > 0 and lower < max(sides) < upper:
            areas[number] = (x2 - x1) * (y2 - y1)
    return min(areas, key=lambda number: areas[number]) if areas else None


def test_labels_and_centerness_agree_with_a_loop_over_points(model):
    points, full = points_of(model), target()
    labels, boxes = model.label_anchors(points, [full, full[:0]])
    centerness = model.compute_ctrness_targets(points, boxes)
    row, owned = 0, {stride: 0 for stride in STRIDES.values()}
    for level, stride in zip(points, STRIDES.values(), strict=True):
        for x, y in level.get_centers().tolist():
            number = owner_of(x, y, stride, full.gt_boxes.tensor)
            if number is None:
                assert labels[0][row] == 3
            else:
                owned[stride] += 1
                assert labels[0][row] == full.gt_classes[number]
                x1, y1, x2, y2 = full.gt_boxes.tensor[number].tolist()
                assert boxes[0][row].tolist() == [x1, y1, x2, y2]
                wide, high = sorted((x - x1, x2 - x)), sorted((y - y1, y2 - y))
                wanted = math.sqrt(wide[0] / wide[1] * high[0] / high[1])
                assert centerness[0, row].item() == pytest.approx(wanted, abs=1e-4)
            row += 1
    assert row == len(labels[0]) and all(owned.values())
    assert torch.equal(labels[1], torch.full((row,), 3)) and boxes[1].shape == (row, 4)


def test_losses_agree_with_a_loop_and_their_normalizer_follows_the_objects(model):
    points = points_of(model)
    labels, boxes = model.label_anchors(points, [target(), target()])
    logits, deltas, centerness = (
        [torch.randn(2, len(level), width) for level in points] for width in (3, 4, 1)
    )
    centre = Boxes.cat(points).get_centers()
    stride = Boxes.cat(points).tensor[:, 2] - Boxes.cat(points).tensor[:, 0]
    targets = model.compute_ctrness_targets(points, boxes)
    expected, objects = torch.zeros(3), 0
    for image in range(2):
        rows, sides, central = (
            torch.cat([level[image] for level in kind]) for kind in (logits, deltas, centerness)
        )
        for row, label in enumerate(labels[image].tolist()):
            truth = torch.zeros(3)
            if label < 3:
                truth[label] = 1
                objects += 1
                reach = sides[row].clamp(min=0) * stride[row]
                box = torch.cat([centre[row] - reach[:2], centre[row] + reach[2:]])
                goal = targets[image, row]
                expected[1] += generalized_box_iou_loss(box, boxes[image][row], eps=1e-7)
                rate = central[row, 0].sigmoid()
                expected[2] -= goal * rate.log() + (1 - goal) * (1 - rate).log()
            expected[0] += sigmoid_focal_loss(rows[row], truth, reduction="sum")
    assert objects > 20
    normalizer = 300.0
    for _ in range(2):
        with EventStorage() as storage:
            found = model.losses(points, logits, labels, deltas, boxes, centerness)
        normalizer = 0.9 * normalizer + 0.1 * objects
        assert model.loss_normalizer == pytest.approx(normalizer)
        assert storage.latest() == {"num_pos_anchors": (objects / 2, 0)}
        assert list(found) == ["loss_fcos_cls", "loss_fcos_loc", "loss_fcos_ctr"]
        values = torch.stack(list(found.values()))
        torch.testing.assert_close(values, expected / normalizer, rtol=1e-4, atol=1e-4)


def test_scores_are_roots_of_probability_times_centerness(model):
    image = {"image": torch.randint(0, 256, (3, 96, 128), dtype=torch.uint8)}
    with torch.no_grad():
        (found,) = model.eval()([image])
        pixels = model.preprocess_image([image])
        maps = model.backbone(pixels.tensor)
        features = [maps[name] for name in STRIDES]
        candidates = []
        for point, kind, delta, central in zip(
            model.anchor_generator(features), *model.head(features), strict=True
        ):
            scores = (kind[0].sigmoid() * central[0].sigmoid()).sqrt().flatten(1)  # (K, R_i)
            boxes = model.box2box_transform.apply_deltas(delta[0].flatten(1).T, point.tensor)
            rows = [(s, c, r) for c, line in enumerate(scores.tolist()) for r, s in enumerate(line)]
            rows = sorted((each for each in rows if each[0] > 0.3), reverse=True)[:50]
            candidates += [(score, label, boxes[row]) for score, label, row in rows]
    kept = []
    for label in range(3):
        own = [each for each in candidates if each[1] == label]
        if own:
            boxes, scores = torch.stack([e[2] for e in own]), torch.tensor([e[0] for e in own])
            kept += [own[index][0] for index in nms(boxes, scores, 0.6).tolist()]
    kept = sorted(kept, reverse=True)[:20]
    assert len(found["instances"]) == len(kept) > 3
    torch.testing.assert_close(found["instances"].scores, torch.tensor(kept))


def test_a_lazy_config_builds_it_and_a_typo_is_an_error():
    shapes = [ShapeSpec(channels=8)] * 2
    recipe = LazyCall(FCOSHead)(input_shape=shapes, num_classes=5, conv_dims=[8], norm="GN2")
    recipe.norm = ""
    head = instantiate(recipe)
    logits, deltas, centerness = head([torch.rand(2, 8, 4, 6), torch.rand(2, 8, 2, 3)])
    assert [level.shape[1:] for level in logits] == [(5, 4, 6), (5, 2, 3)]
    assert [level.shape[1:] for level in deltas] == [(4, 4, 6), (4, 2, 3)]
    assert [level.shape[1:] for level in centerness] == [(1, 4, 6), (1, 2, 3)]
    with pytest.raises(TypeError, match="prior_probability"):
        FCOSHead(input_shape=shapes, num_classes=5, conv_dims=[8], prior_probability=0.1)
