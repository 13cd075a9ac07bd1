"""MaxIoUAssigner against loops over Python's floats, beside Detectron2's rule, and in chunks."""

import pytest
import torch
from detectron2.modeling.matcher import Matcher
from detectron2.structures import Boxes, pairwise_iou

from d2freq.errors import UserError
from d2freq.modeling.assignment import MaxIoUAssigner, max_iou


@pytest.mark.parametrize(
    "settings",
    [{}, {"minimum": 0.01}, {"positive": 0.5, "negative": 0.4, "minimum": 0.45}],
)
def test_equal_to_the_loops_in_200_random_cases(oracle, settings):
    names = {"positive": "positive_iou", "negative": "negative_iou", "minimum": "min_positive_iou"}
    assigner, seen = MaxIoUAssigner(**{names[k]: v for k, v in settings.items()}), set()
    for seed in oracle.CASES:
        truth, anchors = oracle.random_case(seed)
        expected = oracle.max_iou(truth, anchors, **settings)
        assert oracle.found(assigner(truth, anchors)) == expected, seed
        seen.update(expected[1])
    assert seen == {-1, 0, 1}


def detectron2_rule(truth, anchors):
    matcher = Matcher([0.3, 0.7], [0, -1, 1], allow_low_quality_matches=True)
    return matcher(pairwise_iou(Boxes(truth), Boxes(anchors)))


def test_an_object_below_the_minimum_has_no_anchor():
    """A 4 x 4 object in an anchor of 32 x 32 overlaps by 1 / 64; one of 20 x 20 by 0.39."""
    anchors = torch.tensor([[0.0, 0, 32, 32], [64, 64, 96, 96]])
    truth = torch.tensor([[14.0, 14, 18, 18], [70, 70, 90, 90]])
    _, labels = MaxIoUAssigner()(truth, anchors)
    assert labels.tolist() == [0, 1]
    _, forced = detectron2_rule(truth, anchors)
    assert forced.tolist() == [1, 1]
    at_the_minimum = MaxIoUAssigner(min_positive_iou=1 / 64)(truth, anchors)[1]
    assert at_the_minimum.tolist() == [1, 1]


def test_an_anchor_goes_to_the_object_that_it_is_best_for():
    """The anchor overlaps object 0 most, which has a better one; for object 1 it is the best."""
    anchors = torch.tensor([[0.0, 0, 10, 10], [2, 0, 12, 10]])
    truth = torch.tensor([[0.0, 0, 10.5, 10], [6, 0, 13, 10]])
    overlaps = pairwise_iou(Boxes(truth), Boxes(anchors))
    assert overlaps.argmax(dim=0).tolist() == [0, 0] and overlaps.argmax(dim=1).tolist() == [0, 1]
    assert overlaps[1, 1] >= 0.3
    matches, labels = MaxIoUAssigner()(truth, anchors)
    assert labels.tolist() == [1, 1] and matches.tolist() == [0, 1]
    matches, labels = detectron2_rule(truth, anchors)
    assert labels.tolist() == [1, 1] and matches.tolist() == [0, 0]


def test_all_best_anchors_are_positive_and_a_later_object_takes_them():
    """An object midway between four anchors, and one that is its shift."""
    anchors = torch.tensor([[0.0, 0, 8, 8], [4, 0, 12, 8]])
    truth = torch.tensor([[2.0, 0, 10, 8], [6, 0, 14, 8]])
    matches, labels = MaxIoUAssigner()(truth, anchors)
    assert labels.tolist() == [1, 1] and matches.tolist() == [0, 1]
    matches, labels = MaxIoUAssigner()(truth[[0, 0]], anchors)
    assert labels.tolist() == [1, 1] and matches.tolist() == [1, 1]


def test_chunks_give_the_bits_of_the_whole(oracle, monkeypatch):
    truth, anchors = oracle.crowd(objects=61, side=40)
    monkeypatch.setattr(max_iou, "PAIRS_PER_CHUNK", len(truth) * len(anchors))
    whole = MaxIoUAssigner()(truth, anchors)
    assert (whole[1] == 1).sum() > 20
    for rows in (1, 2, 7, 60):
        monkeypatch.setattr(max_iou, "PAIRS_PER_CHUNK", rows * len(anchors))
        for ours, theirs in zip(MaxIoUAssigner()(truth, anchors), whole, strict=True):
            assert torch.equal(ours, theirs)


def test_3000_objects_need_less_than_256_megabytes(oracle):
    truth, anchors = oracle.crowd(objects=3000, side=100)
    assert len(anchors) > 40_000
    with oracle.PeakMemory() as memory:
        MaxIoUAssigner()(truth, anchors)
    assert memory.peak < 256e6


@pytest.mark.slow  # 480 million pairs: about 10 s alone, more beside other work
def test_3000_objects_and_160_thousand_anchors(oracle):
    truth, anchors = oracle.crowd(objects=3000, side=200)
    assert 159_000 < len(anchors) < 161_000
    with oracle.PeakMemory() as memory:
        MaxIoUAssigner()(truth, anchors)
    assert memory.peak < 256e6


@pytest.mark.parametrize(
    "options, message",
    [
        ({"min_positive_iou": 0}, "MODEL.MAX_IOU_RPN.MIN_POS_IOU.*got 0"),
        ({"negative_iou": 0.8}, "negative_iou 0.8.*MODEL.RPN.IOU_THRESHOLDS"),
        ({"positive_iou": 1.5}, "positive_iou 1.5.*MODEL.RPN.IOU_THRESHOLDS"),
    ],
)
def test_bad_settings_are_named(options, message):
    with pytest.raises(UserError, match=message):
        MaxIoUAssigner(**options)


def test_an_object_that_is_not_finite_is_named():
    truth = torch.tensor([[0.0, 0, 4, 4], [0, float("nan"), 4, 4]])
    with pytest.raises(UserError, match="box 1 of 2 .* NaN or infinite"):
        MaxIoUAssigner()(truth, truth)
