"""RankingAssigner against loops over Python's floats, in chunks, and in little memory."""

import pytest
import torch

from d2freq.errors import UserError
from d2freq.modeling.assignment import RankingAssigner, ranking


@pytest.mark.parametrize("settings", [{}, {"topk": 2, "threshold": 0.5}, {"topk": 1}])
def test_equal_to_the_loops_in_200_random_cases(oracle, settings):
    options = {"negative_threshold" if k == "threshold" else k: v for k, v in settings.items()}
    assigner, seen = RankingAssigner(**options), set()
    for seed in oracle.CASES:
        truth, anchors = oracle.random_case(seed)
        expected = oracle.nwd_rka(truth, anchors, **settings)
        assert oracle.found(assigner(truth, anchors)) == expected, seed
        seen.update(expected[1])
    assert seen == {-1, 0, 1}


def test_ties_are_all_positive_and_the_later_object_takes_them():
    anchors = torch.tensor([[0.0, 0, 8, 8], [16, 0, 24, 8], [0, 16, 8, 24], [16, 16, 24, 24]])
    truth = torch.tensor([[8.0, 8, 16, 16], [0, 0, 8, 8]])
    matches, labels = RankingAssigner(topk=1)(truth, anchors)
    assert labels.tolist() == [1, 1, 1, 1]
    assert matches.tolist() == [1, 0, 0, 0]


def test_an_object_far_larger_than_all_anchors_takes_its_nearest_alone():
    """Its NWDs are all 0 in float32, which would make every anchor tie."""
    anchors = torch.tensor([[0.0, 0, 8, 8], [3000, 3000, 3008, 3008], [900, 900, 908, 908]])
    _, labels = RankingAssigner(topk=1)(torch.tensor([[0.0, 0, 6000, 6000]]), anchors)
    assert labels.tolist() == [0, 1, 0]


def test_chunks_give_the_bits_of_the_whole(oracle, monkeypatch):
    truth, anchors = oracle.crowd(objects=61, side=40)
    monkeypatch.setattr(ranking, "PAIRS_PER_CHUNK", len(truth) * len(anchors))
    whole = RankingAssigner()(truth, anchors)
    for rows in (1, 2, 7, 60):
        monkeypatch.setattr(ranking, "PAIRS_PER_CHUNK", rows * len(anchors))
        for ours, theirs in zip(RankingAssigner()(truth, anchors), whole, strict=True):
            assert torch.equal(ours, theirs)


def test_the_tracer_sees_the_unchunked_matrix(oracle, monkeypatch):
    truth, anchors = oracle.crowd(objects=61, side=40)
    monkeypatch.setattr(ranking, "PAIRS_PER_CHUNK", len(truth) * len(anchors))
    with oracle.PeakMemory() as memory:
        RankingAssigner()(truth, anchors)
    matrix = 4 * len(truth) * len(anchors)
    assert 2 * matrix < memory.peak < 8 * matrix


def test_3000_objects_need_less_than_256_megabytes(oracle):
    truth, anchors = oracle.crowd(objects=3000, side=100)
    assert len(anchors) > 40_000
    with oracle.PeakMemory() as memory:
        _, labels = RankingAssigner()(truth, anchors)
    assert memory.peak < 256e6
    assert (labels == 1).sum() > 3000


def test_266_thousand_anchors_need_less_than_256_megabytes(oracle):
    """As many chunks of as many anchors as one image has, of fewer objects."""
    truth, anchors = oracle.crowd(objects=200, side=260)
    assert len(anchors) > 266_000
    with oracle.PeakMemory() as memory:
        RankingAssigner()(truth, anchors)
    assert memory.peak < 256e6


@pytest.mark.slow  # 480 million pairs: about 5 s alone, more beside other work
def test_3000_objects_and_160_thousand_anchors(oracle):
    truth, anchors = oracle.crowd(objects=3000, side=200)
    assert 159_000 < len(anchors) < 161_000
    with oracle.PeakMemory() as memory:
        RankingAssigner()(truth, anchors)
    assert memory.peak < 256e6


def test_dtype_of_the_objects_follows_the_anchors():
    anchors = torch.rand(5, 4).cumsum(1)
    ours = RankingAssigner()(anchors[:2].double(), anchors)
    theirs = RankingAssigner()(anchors[:2], anchors)
    assert all(map(torch.equal, ours, theirs))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"topk": 0}, "MODEL.NWD.TOPK.*got 0.*at least 1"),
        ({"topk": 2.0}, "MODEL.NWD.TOPK.*got 2.0"),
        ({"constant": 0}, "MODEL.NWD.CONSTANT.*got 0"),
        ({"negative_threshold": 0}, "MODEL.NWD.NEGATIVE_THRESHOLD.*got 0"),
        ({"negative_threshold": 1.5}, "MODEL.NWD.NEGATIVE_THRESHOLD.*got 1.5"),
    ],
)
def test_bad_settings_are_named(options, message):
    with pytest.raises(UserError, match=message):
        RankingAssigner(**options)


def test_an_object_that_is_not_finite_is_named():
    truth = torch.tensor([[0.0, 0, 4, 4], [0, float("nan"), 4, 4]])
    with pytest.raises(UserError, match="box 1 of 2 .* NaN or infinite"):
        RankingAssigner()(truth, truth)
