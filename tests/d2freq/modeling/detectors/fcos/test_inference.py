"""Published inference and the smallest object, against loops over points as the rule is worded."""

import math

import pytest
import torch
from detectron2.modeling import build_model
from detectron2.structures import Boxes, ImageList, Instances

CLASSES, SIZE = 3, (70, 90)  # the image within an input of 96 x 96
LEVELS = {8: 12, 16: 6, 32: 3, 64: 2, 128: 1}  # stride: cells a side


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def overlap(one, other) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    area, another = ((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / (area + another - width * height)


def naive(predictions, image, *, root, threshold=0.05, topk=40, nms=0.5, limit=100):
    """Lists of box, score and class, point by point in Python's double precision."""
    found = []
    for (stride, side), logits, deltas, centerness in zip(
        LEVELS.items(), *predictions, strict=True
    ):
        level = []
        for row in range(side):
            for column in range(side):
                x, y = (column + 0.5) * stride, (row + 0.5) * stride
                left, top, right, bottom = (
                    max(0.0, float(d)) * stride for d in deltas[image, :, row, column]
                )
                box = [x - left, y - top, x + right, y + bottom]
                box = [min(max(v, 0.0), SIZE[1 - i % 2]) for i, v in enumerate(box)]
                centre = sigmoid(float(centerness[image, 0, row, column]))
                for category in range(CLASSES):
                    p = sigmoid(float(logits[image, category, row, column]))
                    if p > threshold:
                        score = math.sqrt(p * centre) if root else p * centre
                        level.append((p, score, category, box))
        level.sort(key=lambda candidate: -candidate[0])
        found += level[:topk]
    found.sort(key=lambda candidate: -candidate[1])
    kept = []
    for _, score, category, box in found:
        if all(category != c or overlap(box, other) <= nms for other, _, c in kept):
            kept.append((box, score, category))
    return kept[:limit]


def random_predictions(seed):
    generator = torch.Generator().manual_seed(seed)

    def maps(channels, scale, shift):
        return [
            torch.randn(2, channels, side, side, generator=generator) * scale + shift
            for side in LEVELS.values()
        ]

    return [maps(CLASSES, 2, -2), maps(4, 1, 0.8), maps(1, 2, 0)]


@pytest.mark.parametrize("score", ["product", "root"])
@pytest.mark.parametrize("seed", range(5))
def test_published_inference_equals_a_loop_over_points(fcos_cfg, seed, score):
    model = build_model(
        fcos_cfg(
            MODEL__FCOS__INFERENCE="published",
            MODEL__FCOS__SCORE=score,
            MODEL__FCOS__SCORE_THRESH_TEST=0.05,
            MODEL__FCOS__TOPK_CANDIDATES_TEST=40,
            MODEL__FCOS__NMS_THRESH_TEST=0.5,
        )
    )
    predictions = random_predictions(seed)
    images = ImageList(torch.zeros(2, 3, 96, 96), [SIZE, SIZE])
    features = [torch.zeros(2, 1, side, side) for side in LEVELS.values()]
    for image, found in enumerate(model.forward_inference(images, features, predictions)):
        expected = naive(predictions, image, root=score == "root")
        assert len(found) == len(expected) > 50
        boxes, scores, classes = zip(*expected, strict=True)
        assert found.pred_classes.tolist() == list(classes)
        torch.testing.assert_close(found.scores, torch.tensor(scores))
        torch.testing.assert_close(found.pred_boxes.tensor, torch.tensor(boxes))
        # without a second threshold some end below it, and none is cut for that
        assert score == "root" or found.scores.min() < 0.05


def detections(fcos_cfg, records, **keys):
    torch.manual_seed(2)
    keys = {f"MODEL__FCOS__{key}": value for key, value in keys.items()}
    model = build_model(fcos_cfg(MODEL__FCOS__SCORE="product", **keys)).eval()
    with torch.no_grad():
        model.head.cls_score.weight *= 30
        return model(records)[0]["instances"]


def test_published_inference_keeps_what_the_product_would_drop(fcos_cfg, records):
    ours = detections(fcos_cfg, records, SCORE_THRESH_TEST=0.13)
    published = detections(fcos_cfg, records, SCORE_THRESH_TEST=0.13, INFERENCE="published")
    assert ours.scores.min() > 0.13 > published.scores.min()
    assert len(published) > len(ours)


def smallest(anchors, boxes, radius=1.5):
    """The object of each point by the rule, None for background: loops in double precision."""
    owners = []
    for number, level in enumerate(anchors):
        for left, top, right, bottom in level.tensor.tolist():
            x, y, stride = (left + right) / 2, (top + bottom) / 2, right - left
            low = 0 if number == 0 else 4 * stride
            high = math.inf if number == len(anchors) - 1 else 8 * stride
            best, owner = math.inf, None
            for index, (x1, y1, x2, y2) in enumerate(boxes):
                edges = (x - x1, y - y1, x2 - x, y2 - y)
                offset = max(abs(x - (x1 + x2) / 2), abs(y - (y1 + y2) / 2))
                mine = min(edges) > 0 and low < max(edges) < high and offset < radius * stride
                if mine and (x2 - x1) * (y2 - y1) < best:
                    best, owner = (x2 - x1) * (y2 - y1), index
            owners.append(owner)
    return owners


def label(model, boxes):
    """The object of each point; classes tell them apart."""
    model.num_classes = len(boxes)
    target = Instances((96, 96), gt_boxes=Boxes(torch.tensor(boxes)))
    target.gt_classes = torch.arange(len(boxes))
    anchors = model.anchor_generator([torch.zeros(1, 1, side, side) for side in LEVELS.values()])
    (labels,), (matched,) = model.label_anchors(anchors, [target])
    owners = [None if owner == len(boxes) else owner for owner in labels.tolist()]
    for owner, box in zip(owners, matched.tolist(), strict=True):
        assert owner is None or box == boxes[owner]
    return anchors, owners


def test_a_point_belongs_to_the_smaller_of_two_objects_of_20_and_16_square_pixels(fcos_cfg):
    model = build_model(fcos_cfg())
    boxes = [[18.0, 17.5, 22.0, 22.5], [18.0, 18.0, 22.0, 22.0]]  # both hold the point (20, 20)
    for order in (boxes, boxes[::-1]):
        anchors, owners = label(model, order)
        assert owners == smallest(anchors, order)
        (owner,) = {owner for owner in owners if owner is not None}
        assert order[owner] == boxes[1]


def test_points_of_crowded_tiny_objects_belong_to_the_smallest(fcos_cfg):
    model = build_model(fcos_cfg())
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        centres = torch.rand(30, 2, generator=generator) * 96
        halves = torch.randint(8, 40, (30, 2), generator=generator) / 4
        boxes = torch.cat((centres - halves, centres + halves), dim=1).tolist()
        anchors, owners = label(model, boxes)
        expected = smallest(anchors, boxes)
        for owner, wanted in zip(owners, expected, strict=True):
            if owner != wanted:  # equal to float32's last bit
                areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (boxes[owner], boxes[wanted])]
                assert areas[0] == pytest.approx(areas[1], rel=1e-6)
        assert sum(owner is not None for owner in owners) > 30
