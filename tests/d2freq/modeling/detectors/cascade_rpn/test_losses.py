"""The losses of both stages: the published code's vector, and loops over boxes."""

import math

import pytest
import torch
from detectron2.utils.events import EventStorage

from d2freq.modeling.assignment import MaxIoUAssigner

NAMES = ["loss_rpn_loc_stage0", "loss_rpn_cls_stage1", "loss_rpn_loc_stage1"]


@pytest.mark.parametrize(
    ("scale", "wanted"),
    [(8, (5.589030, 0.485203, 0.256348)), (2, (2.645841, 0.485203, 0.020549))],
)
def test_vector_of_the_published_code(scale, wanted, generator, pyramid, objects):
    """All weights 0; fewer positives than a draw takes, so nothing is left to chance."""
    rpn = generator(scale).train()
    for parameter in rpn.parameters():
        torch.nn.init.zeros_(parameter)
    truth = objects([[20, 24, 44, 40], [70, 60, 80, 71]], (128, 128))
    with EventStorage() as storage:
        _, losses = rpn(*pyramid(128, [(128, 128)]), [truth])
    assert [losses[name].item() for name in NAMES] == pytest.approx(wanted, abs=5e-7)
    assert list(losses) == NAMES
    assert storage.latest()["rpn/num_pos_anchors_stage0"][0] == {8: 7, 2: 5}[scale]


def predictions(rpn, maps, images, spread):
    """Anchors, and deltas and logits of both stages, drawn at random."""
    anchors = [level.tensor for level in rpn.anchor_generator(list(maps.values()))]
    moves = [spread * torch.randn(images, len(level), 4) for level in anchors]
    logits = [torch.randn(images, len(level)) for level in anchors]
    deltas = [spread * torch.randn(images, len(level), 4) for level in anchors]
    return anchors, moves, logits, deltas


def matched(truth, boxes, by_hand):
    """Object (None where negative) of each box: IoU of 0.7, or the object's best, from 0.3 on."""
    table = [[by_hand.iou(one, box) for box in boxes] for one in truth]
    owners = []
    for column in zip(*table, strict=True):
        best = max(column)
        owners.append(column.index(best) if best >= 0.7 else None)
    for number, row in enumerate(table):
        for index, value in enumerate(row):
            if value == max(row) >= 0.3:
                owners[index] = number
    return owners if truth else [None] * len(boxes)


def first_by_hand(rpn, truth, shapes, anchors, moves, by_hand) -> float:
    """Sum of 1 - IoU of the first stage's positives of a picture."""
    matches, labels = rpn.region_assigner(
        truth, shapes=shapes, strides=[4, 8, 16, 32, 64], smallest=8.0
    )
    weights, total = rpn.box2box_transforms[0].weights, 0.0
    for index in (labels == 1).nonzero()[:, 0].tolist():
        box = by_hand.decode(moves[index], anchors[index], weights)
        total += 1 - by_hand.iou(box, truth[matches[index]].tolist())
    return total


def second_by_hand(rpn, truth, refined, scores, shifts, by_hand) -> tuple[float, float, int]:
    """Sums of cross entropies and of 1 - IoU of a picture, and how many boxes are positive."""
    weights, classes, boxes = rpn.box2box_transforms[1].weights, 0.0, 0.0
    owners = matched(truth, refined, by_hand)
    for owner, score, shift, anchor in zip(owners, scores, shifts, refined, strict=True):
        classes += math.log1p(math.exp(-score if owner is not None else score))
        if owner is not None:
            boxes += 1 - by_hand.iou(by_hand.decode(shift, anchor, weights), truth[owner])
    return classes, boxes, len(owners) - owners.count(None)


def test_a_hundred_random_pictures_of_tiny_boxes(generator, pyramid, objects, tiny_boxes, by_hand):
    rpn = generator(2, "MODEL.RPN.BATCH_SIZE_PER_IMAGE", 2000)  # all are drawn
    _, maps = pyramid(32, [(32, 32)] * 2)
    shapes = [level.shape[-2:] for level in maps.values()]
    positives = 0
    for seed in range(50):
        torch.manual_seed(seed)
        anchors, moves, logits, deltas = predictions(rpn, maps, 2, 0.5)
        truth = [tiny_boxes(2 * seed + image, (seed + image) % 6, 32) for image in range(2)]
        instances = [objects(each, (32, 32)) for each in truth]
        refined = rpn.refine(anchors, moves, torch.tensor([32.0] * 4).expand(2, 1, 4))
        with EventStorage():
            losses = rpn.first_losses(anchors, moves, instances, shapes)
            losses |= rpn.second_losses(refined, logits, deltas, instances)
        start, total = torch.cat(anchors).tolist(), 2 * sum(map(len, anchors))
        wanted = [0.0, 0.0, 0.0]
        for image, own in enumerate(truth):
            moved, boxes, scores, shifts = (
                torch.cat([level[image] for level in each]).tolist()
                for each in (moves, refined, logits, deltas)
            )
            wanted[0] += first_by_hand(rpn, own, shapes, start, moved, by_hand) * 7 / total * 200
            sums = second_by_hand(rpn, own.tolist(), boxes, scores, shifts, by_hand)
            wanted[1] += sums[0] * 0.7 / total
            wanted[2] += sums[1] * 7 / total
            positives += sums[2]
            decoded = [
                by_hand.decode(*pair, (10, 10, 2, 2)) for pair in zip(moved, start, strict=True)
            ]
            clipped = torch.tensor(decoded).clamp(0, 32)
            assert torch.allclose(torch.tensor(boxes), clipped, atol=1e-3)
        found = [losses[name].item() for name in NAMES]
        assert found == pytest.approx(wanted, rel=1e-4, abs=1e-6), seed
    assert positives > 100


def test_gradients_stop_between_the_stages(generator, pyramid, objects):
    """Of the second stage's losses the first one's boxes get none, its features do."""
    rpn = generator().train()
    truth = objects([[20, 24, 28, 30], [30, 30, 36, 35]], (64, 64))
    with EventStorage():
        _, losses = rpn(*pyramid(64, [(64, 64)]), [truth])
    second = losses["loss_rpn_cls_stage1"] + losses["loss_rpn_loc_stage1"]
    second.backward(retain_graph=True)
    stage0, stage1 = rpn.rpn_head.stage0, rpn.rpn_head.stage1
    assert stage0["anchor_deltas"].weight.grad is None
    assert stage0["conv"].weight.grad.abs().sum() > 0
    assert stage1["conv"].weight.grad.abs().sum() > 0
    losses["loss_rpn_loc_stage0"].backward()
    assert stage0["anchor_deltas"].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("count", [0, 1, 3000])
def test_so_many_objects(count, generator, pyramid, objects, tiny_boxes):
    rpn = generator(channels=4).train()
    side = 64 if count < 2 else 320
    truth = objects(tiny_boxes(1, count, side), (side, side))
    with EventStorage():
        proposals, losses = rpn(*pyramid(side, [(side, side)], channels=4), [truth])
    sum(losses.values()).backward()
    assert all(loss.isfinite() for loss in losses.values()) and len(proposals[0]) > 0
    assert (losses["loss_rpn_loc_stage0"] > 0) == (losses["loss_rpn_loc_stage1"] > 0) == (count > 0)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in rpn.parameters())


def test_what_is_drawn_is_what_the_keys_say(generator, pyramid, objects):
    keys = ("MODEL.RPN.BATCH_SIZE_PER_IMAGE", 8, "MODEL.RPN.POSITIVE_FRACTION", 0.25)
    rpn = generator(2, *keys).train()
    truth = objects([[4 * i, 4 * i, 4 * i + 8, 4 * i + 8] for i in range(2, 10)], (64, 64))
    with EventStorage() as storage:
        rpn(*pyramid(64, [(64, 64)] * 2), [truth, truth])
    latest = {name: value for name, (value, _) in storage.latest().items()}
    assert (latest["rpn/num_pos_anchors"], latest["rpn/num_neg_anchors"]) == (2, 6)
    assert isinstance(rpn.anchor_matcher, MaxIoUAssigner)
