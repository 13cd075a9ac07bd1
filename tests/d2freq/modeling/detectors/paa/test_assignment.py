"""PAA's labels against loops: what overlaps, the lowest losses a level, one mixture an object."""

import pytest
import torch

from d2freq.errors import UserError
from d2freq.modeling.detectors.paa import choose_positives
from d2freq.modeling.detectors.paa.assignment import overlapping

from ..dense.dense_cases import grids, iou, priors, tiny_boxes
from .test_mixture import naive as mixture


def naive_overlapping(truth, anchors, threshold):
    """Owners: the best overlap from the threshold on, then each object's best anchors."""
    owners = []
    table = [[iou(box, anchor) for anchor in anchors] for box in truth]
    for column in zip(*table, strict=True):
        best = max(column)
        owners.append(column.index(best) if best >= threshold else -1)
    for number, row in enumerate(table):
        if max(row) > 0:
            owners = [number if v == max(row) else o for o, v in zip(owners, row, strict=True)]
    return owners or [-1] * len(anchors)


@pytest.mark.parametrize("scale", [8, 2])
def test_overlapping_equals_a_loop_in_100_cases_of_tiny_boxes(scale):
    levels, found = grids(64, (8, 16, 32)), 0
    anchors = priors(levels, scale)
    for seed in range(50):
        # quarters of pixels: exact overlaps, so that ties are ties in both precisions
        truth = (tiny_boxes((0, 1, 3, 8)[seed % 4], seed) * 4).round() / 4
        owners = overlapping(truth, anchors)
        expected = naive_overlapping(truth.tolist(), anchors.tolist(), 0.1)
        assert owners.tolist() == expected, seed
        found += (owners >= 0).sum()
    assert found > 100


def test_an_object_that_no_anchor_overlaps_takes_none():
    levels = grids(64, (32,))
    truth = torch.tensor([[10.0, 10, 12, 12]])  # between anchors of 16 pixels at 0 and 32
    assert overlapping(truth, priors(levels, 0.5)).eq(-1).all()
    assert overlapping(truth[:0], priors(levels, 0.5)).eq(-1).all()


def naive(losses, objects, levels, topk):
    chosen = [False] * len(losses)
    for owner in set(objects):
        candidates = []
        for level in set(levels):
            mine = [
                place
                for place in range(len(losses))
                if objects[place] == owner and levels[place] == level
            ]
            candidates += sorted(mine, key=lambda place: (losses[place], place))[:topk]
        if len(candidates) > 1:
            candidates.sort(key=lambda place: losses[place])
            for rank in mixture([losses[place] for place in candidates])[0]:
                chosen[candidates[rank]] = True
    return chosen


def test_choice_equals_a_loop_in_100_cases():
    draw = torch.Generator().manual_seed(3)
    kept = 0
    for case in range(100):
        count = int(torch.randint(0, 80, (1,), generator=draw))
        losses = torch.rand(count, generator=draw) * 3
        objects = torch.randint(0, 4, (count,), generator=draw) * 2  # some numbers have no anchor
        levels = torch.randint(0, 3, (count,), generator=draw)
        found = choose_positives(losses, objects, levels, topk=4)
        expected = naive(losses.double().tolist(), objects.tolist(), levels.tolist(), 4)
        assert found.tolist() == expected, case
        kept += sum(expected)
    assert kept > 500


def test_a_crowd_of_3000_and_what_is_refused():
    draw = torch.Generator().manual_seed(0)
    objects = torch.arange(3000).repeat_interleave(20)
    losses, levels = torch.rand(60000, generator=draw), torch.arange(60000) % 5
    chosen = choose_positives(losses, objects, levels)
    assert objects[chosen].unique().numel() > 2900 and chosen.sum() < 50000
    with pytest.raises(UserError, match=r"MODEL\.PAA\.TOPK: got 0"):
        choose_positives(losses, objects, levels, topk=0)
