"""PAA's losses: published code with weights of zero, and a loop over anchors; score voting."""

import math

import pytest
import torch
from detectron2.structures import Boxes, Instances
from detectron2.utils.events import EventStorage

from d2freq.modeling.detectors.paa import meta_arch, vote

from ..atss.test_losses import decode, sigmoid
from ..dense.dense_cases import (
    build,
    giou,
    grids,
    instances,
    iou,
    losses_at_zero,
    priors,
    random_predictions,
    tiny_boxes,
    vector,
)
from .test_assignment import naive as choose
from .test_assignment import naive_overlapping

NAMES = ("loss_paa_cls", "loss_paa_loc", "loss_paa_iou")


def test_losses_at_zero_weights_are_those_of_mmdet(monkeypatch):
    """Mmdet 3.3.0 with torch 2.14: 1.12851, 1.197489, 0.346574.

    There, each object's nine candidates have one loss, and torch.topk names the eighth of nine
    equal densities as the highest: 16 positives. Here it is the first, which leaves one an object.
    Box and IoU are the same for both; the class's loss is once more the background's share.
    """
    found = losses_at_zero("PAA", [vector()])
    assert tuple(found) == NAMES
    object_alone = 0.25 * 0.99**2 * -math.log(0.01)
    background = 8 * sum(grid.cells for grid in grids(128)) * 0.75 * 0.01**2 * -math.log(0.99)
    expected = [object_alone + background / 2, 1.197489, 0.346574]
    assert [found[name] for name in NAMES] == pytest.approx(expected, abs=2e-6)

    def with_eight_of_nine(losses, objects, levels, *, topk):
        chosen = torch.zeros_like(losses, dtype=torch.bool)
        for owner in objects.unique():
            chosen[(objects == owner).nonzero()[: topk - 1, 0]] = True
        return chosen

    monkeypatch.setattr(meta_arch, "choose_positives", with_eight_of_nine)
    found = losses_at_zero("PAA", [vector()])
    assert [found[n] for n in NAMES] == pytest.approx([1.12851, 1.197489, 0.346574], abs=2e-6)


def test_no_objects_leave_the_background_alone():
    found = losses_at_zero("PAA", [instances([], size=128)] * 2)
    assert found["loss_paa_loc"] == found["loss_paa_iou"] == 0 < found["loss_paa_cls"]


def focal(logits, kind):
    total = 0.0
    for category, logit in enumerate(logits):
        p = sigmoid(logit)
        if category == kind:
            total -= 0.25 * (1 - p) ** 2 * math.log(p)
        else:
            total -= 0.75 * p**2 * math.log(1 - p)
    return total


def naive(anchors, levels, predictions, truth):
    logits, numbers, quality = (part.tolist() for part in predictions)
    spans = [level for level, grid in enumerate(levels) for _ in range(grid.cells)]
    classes = boxes = cross = overlaps = 0.0
    count = 0
    for image, found in enumerate(truth):
        objects = found.gt_boxes.tensor.tolist()
        kinds = found.gt_classes.tolist()
        owners = naive_overlapping(objects, anchors, 0.1)
        cells = [cell for cell, owner in enumerate(owners) if owner >= 0]
        decoded = {cell: decode(numbers[image][cell], anchors[cell]) for cell in cells}
        losses = [
            focal(logits[image][cell], kinds[owners[cell]])
            + 1.3 * (1 - giou(decoded[cell], objects[owners[cell]]))
            for cell in cells
        ]
        kept = choose(losses, [owners[c] for c in cells], [spans[c] for c in cells], 9)
        kept = {cell for cell, positive in zip(cells, kept, strict=True) if positive}
        count += len(kept)
        for cell, row in enumerate(logits[image]):
            classes += focal(row, kinds[owners[cell]] if cell in kept else None)
            if cell in kept:
                box = objects[owners[cell]]
                overlap = iou(decoded[cell], box)
                boxes += overlap * (1 - giou(decoded[cell], box))
                overlaps += overlap
                p = sigmoid(quality[image][cell][0])
                cross -= overlap * math.log(p) + (1 - overlap) * math.log(1 - p)
    return [
        classes / max(count, len(truth)),
        1.3 * boxes / max(overlaps, 1e-6),
        0.5 * cross / max(count, 1),
    ]


def test_losses_equal_a_loop_over_anchors():
    model, levels = build("PAA", "MODEL.PAA.ANCHOR_SCALE", 2.0), grids(64)
    anchors = priors(levels, 2)
    for seed in range(12):
        truth = [instances((tiny_boxes(n, seed) * 4).round() / 4) for n in (5, 1, 0)]
        predictions = random_predictions(levels, 3, seed)
        with EventStorage():
            found = model.losses(levels, anchors, *predictions, truth)
        expected = naive(anchors.tolist(), levels, predictions, truth)
        assert [float(found[name]) for name in NAMES] == pytest.approx(expected, rel=1e-4)


def results(count, seed):
    draw = torch.Generator().manual_seed(seed)
    found = Instances((64, 64), pred_boxes=Boxes(tiny_boxes(count, seed, size=32)))
    found.scores = torch.rand(count, generator=draw).sort(descending=True).values
    found.pred_classes = torch.randint(0, 2, (count,), generator=draw)
    return found


@pytest.mark.parametrize("chunk", [7, 2**22])
def test_voting_equals_a_loop_over_candidates(chunk, monkeypatch):
    monkeypatch.setattr("d2freq.modeling.detectors.paa.voting.PAIRS_PER_CHUNK", chunk)
    moved = 0
    for seed in range(20):
        candidates = results((0, 1, 30)[seed % 3], seed)
        kept = candidates[torch.arange(0, len(candidates), 3)]
        found = vote(kept, candidates)
        assert torch.equal(found.scores, kept.scores)
        assert torch.equal(found.pred_classes, kept.pred_classes)
        for box, kind, result in zip(
            kept.pred_boxes.tensor.tolist(),
            kept.pred_classes.tolist(),
            found.pred_boxes.tensor.tolist(),
            strict=True,
        ):
            sums, total = [0.0] * 4, 0.0
            for other, score, its_kind in zip(
                candidates.pred_boxes.tensor.tolist(),
                candidates.scores.tolist(),
                candidates.pred_classes.tolist(),
                strict=True,
            ):
                overlap = iou(box, other)
                if its_kind == kind and overlap > 0.01:
                    weight = score * math.exp(-((1 - overlap) ** 2) / 0.025)
                    total += weight
                    sums = [s + weight * side for s, side in zip(sums, other, strict=True)]
            assert result == pytest.approx([s / total for s in sums], abs=1e-4)
            moved += result != box
    assert moved > 20
