"""What published FCOS baselines do otherwise, against loops over points from their formulas."""

import math

import pytest
import torch
from detectron2.modeling import build_model
from detectron2.structures import Boxes
from detectron2.utils.events import EventStorage

from d2freq.modeling.detectors.fcos import losses as parts

SIZES = ((4, 5), (2, 3))  # H and W of two levels of stride 8 and 16
CLASSES = 3


def iou_and_hull(one, other):
    """IoU, union over hull, centre distance squared over diagonal squared of two XYXY boxes."""
    area = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    width = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    common = width * height
    union = sum(area) - common
    hull = [max(one[i], other[i]) - min(one[i - 2], other[i - 2]) for i in (2, 3)]
    centres = [(one[i] + one[i + 2] - other[i] - other[i + 2]) / 2 for i in (0, 1)]
    distance = sum(d**2 for d in centres) / sum(side**2 for side in hull)
    return common / union, union / (hull[0] * hull[1]), distance


def naive(case, *, kind, weighted, normalizer, alpha=0.25, gamma=2.0):
    """The three losses, point by point in Python's double precision."""
    classification, location, centerness, weights = 0.0, 0.0, 0.0, 0.0
    points = torch.cat([anchors.tensor for anchors in case["anchors"]]).tolist()
    for image in range(2):
        logits, deltas, ctr = (
            torch.cat([level[image] for level in case[k]]).double().tolist()
            for k in ("logits", "deltas", "centerness")
        )
        for at, point in enumerate(points):
            label = int(case["labels"][image][at])
            for category in range(CLASSES):
                p = 1 / (1 + math.exp(-logits[at][category]))
                if category == label:
                    classification -= alpha * (1 - p) ** gamma * math.log(p)
                else:
                    classification -= (1 - alpha) * p**gamma * math.log(1 - p)
            if label == CLASSES:
                continue
            truth = case["boxes"][image][at].tolist()
            x, y, side = (point[0] + point[2]) / 2, (point[1] + point[3]) / 2, point[2] - point[0]
            left, top, right, bottom = (max(0.0, d) * side for d in deltas[at])
            iou, filled, distance = iou_and_hull((x - left, y - top, x + right, y + bottom), truth)
            loss = 1 - iou + ((1 - filled) if kind == "giou" else distance)
            across, down = (x - truth[0], truth[2] - x), (y - truth[1], truth[3] - y)
            centre = math.sqrt(min(across) / max(across) * min(down) / max(down))
            location += loss * (centre if weighted else 1)
            weights += centre
            p = 1 / (1 + math.exp(-ctr[at][0]))
            centerness -= centre * math.log(p) + (1 - centre) * math.log(1 - p)
    count = int(sum((label != CLASSES).sum() for label in case["labels"]))
    divisor = max(count, 1) if normalizer == "batch" else 300 * 0.9 + max(count, 1) * 0.1
    share = max(weights, 1e-6) if weighted else divisor
    return [classification / divisor, location / share, centerness / divisor]


def make_case(positive_share):
    generator = torch.Generator().manual_seed(6)
    anchors, counts = [], []
    for (height, width), stride in zip(SIZES, (8, 16), strict=True):
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        centre = torch.stack([x, y], dim=-1).reshape(-1, 2) * stride + stride / 2.0
        anchors.append(Boxes(torch.cat([centre - stride / 2, centre + stride / 2], dim=1)))
        counts.append(height * width)
    total = sum(counts)

    def predictions(channels):
        return [torch.randn(2, n, channels, generator=generator) for n in counts]

    labels, boxes = [], []
    centres = Boxes.cat(anchors).get_centers()
    for _ in range(2):
        label = torch.randint(CLASSES, (total,), generator=generator)
        label[torch.rand(total, generator=generator) >= positive_share] = CLASSES
        reach = 2 + 20 * torch.rand(total, 4, generator=generator)
        labels.append(label)
        boxes.append(torch.cat([centres - reach[:, :2], centres + reach[:, 2:]], dim=1))
    case = {"logits": predictions(CLASSES), "deltas": predictions(4), "centerness": predictions(1)}
    return case | {"anchors": anchors, "labels": labels, "boxes": boxes}


def measured(model, case):
    arguments = [case[k] for k in ("anchors", "logits", "labels", "deltas", "boxes", "centerness")]
    with EventStorage() as storage:
        found = model.losses(*arguments)
        assert storage.latest()["num_pos_anchors"][0] == (
            sum(int((label != CLASSES).sum()) for label in case["labels"]) / 2
        )
    return found


@pytest.mark.parametrize("positive_share", [0.4, 0.0])
@pytest.mark.parametrize("kind", ["giou", "diou"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("normalizer", ["average", "batch"])
def test_losses_equal_a_loop_over_points(fcos_cfg, kind, weighted, normalizer, positive_share):
    model = build_model(
        fcos_cfg(
            MODEL__FCOS__BOX_LOSS=kind,
            MODEL__FCOS__CENTERNESS_WEIGHTED=weighted,
            MODEL__FCOS__NORMALIZER=normalizer,
        )
    )
    case = make_case(positive_share)
    found = measured(model, case)
    expected = naive(case, kind=kind, weighted=weighted, normalizer=normalizer)
    assert list(found) == ["loss_fcos_cls", "loss_fcos_loc", "loss_fcos_ctr"]
    torch.testing.assert_close(
        torch.stack(list(found.values())), torch.tensor(expected), rtol=1e-5, atol=1e-6
    )
    assert positive_share == 0 or expected[1] > 0


def test_average_moves_on_as_the_parent_does(fcos_cfg):
    cases = [make_case(share) for share in (0.4, 0.1)]
    plain, ours = (build_model(fcos_cfg(MODEL__FCOS__BOX_LOSS=k)) for k in ("giou", "diou"))
    for case in cases:
        a, b = measured(plain, case), measured(ours, case)
        torch.testing.assert_close(a["loss_fcos_cls"], b["loss_fcos_cls"])
        torch.testing.assert_close(a["loss_fcos_ctr"], b["loss_fcos_ctr"])
    assert plain.loss_normalizer == ours.loss_normalizer != 300


def test_half_precision_predictions_give_finite_float32_losses(fcos_cfg, records):
    model = build_model(fcos_cfg(MODEL__FCOS__BOX_LOSS="diou", MODEL__FCOS__NORMALIZER="batch"))
    with EventStorage(), torch.autocast("cpu", dtype=torch.bfloat16):
        losses = model.train()(records)
    assert all(v.isfinite() for v in losses.values()) and losses["loss_fcos_loc"] > 0
    assert losses["loss_fcos_loc"].dtype == torch.float32
    sum(losses.values()).backward()


def test_product_scores_are_the_squares_above_their_own_threshold(fcos_cfg, records):
    found = []
    for score, threshold in (("root", 0.25), ("product", 0.0625)):
        torch.manual_seed(2)
        model = build_model(
            fcos_cfg(MODEL__FCOS__SCORE=score, MODEL__FCOS__SCORE_THRESH_TEST=threshold)
        ).eval()
        with torch.no_grad():
            model.head.cls_score.weight *= 30
            found.append(model(records)[0]["instances"])
    root, product = found
    assert 0 < len(root) == len(product) and root.scores.min() > 0.25
    torch.testing.assert_close(product.scores, root.scores**2)
    assert torch.equal(product.pred_boxes.tensor, root.pred_boxes.tensor)
    assert torch.equal(product.pred_classes, root.pred_classes)


def test_batch_normaliser_is_the_mean_over_processes(monkeypatch):
    monkeypatch.setattr(parts.comm, "get_world_size", lambda: 4)
    monkeypatch.setattr(parts.dist, "all_reduce", lambda tensor: tensor.add_(10.0))  # of the others
    own = torch.tensor(2.0)
    assert float(parts.mean_over_processes(own)) == 3.0 and float(own) == 2.0
