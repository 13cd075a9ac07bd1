"""DotDAssigner against loops over Python's floats, in chunks, and in an RPN."""

import math

import pytest
import torch
from detectron2.config import get_cfg
from detectron2.layers import ShapeSpec
from detectron2.structures import Boxes, ImageList, Instances
from detectron2.utils.events import EventStorage

from d2freq import add_d2freq_config
from d2freq.errors import UserError
from d2freq.modeling.assignment import DotDAssigner, DotDRPN, max_iou


def naive(truth, anchors, *, constant=12.7, positive=0.7, negative=0.3, minimum=0.3):
    """Owners (None where there is none) and labels, and how near the nearest decision was."""
    table = [
        [
            math.exp(
                -math.hypot(
                    (a[0] + a[2] - b[0] - b[2]) / 2,
                    (a[1] + a[3] - b[1] - b[3]) / 2,
                )
                / constant
            )
            for b in anchors.tolist()
        ]
        for a in truth.tolist()
    ]
    owners, labels = [None] * len(anchors), [-1] * len(anchors)
    for index in range(len(anchors)):
        column = [row[index] for row in table]
        best = max(column, default=0.0)
        if best < negative:
            labels[index] = 0
        if best >= positive:
            owners[index], labels[index] = column.index(best), 1
    for number, row in enumerate(table):
        for index, value in enumerate(row):
            if value == max(row) >= minimum:
                owners[index], labels[index] = number, 1
    return owners, labels


def test_equal_to_the_loops_in_200_random_cases(oracle):
    seen = set()
    for seed in oracle.CASES:
        truth, anchors = (part.double() for part in oracle.random_case(seed))
        expected = naive(truth, anchors)
        assert oracle.found(DotDAssigner()(truth, anchors)) == expected, seed
        seen.update(expected[1])
    assert seen == {-1, 0, 1}


def test_the_constant_and_the_thresholds_are_those_of_the_similarity(oracle):
    settings = {"constant": 5.0, "positive": 0.5, "negative": 0.2}
    for seed in range(40):
        truth, anchors = (part.double() for part in oracle.random_case(seed))
        ours = DotDAssigner(**settings, min_positive=0.4)(truth, anchors)
        assert oracle.found(ours) == naive(truth, anchors, **settings, minimum=0.4), seed


def test_sizes_have_no_part_in_it():
    centre = torch.tensor([[-1.0, -1, 1, 1], [-8.0, -2, 8, 2], [-64.0, -64, 64, 64]])
    matches, labels = DotDAssigner()(centre[:1], centre)
    assert labels.tolist() == [1, 1, 1] and matches.tolist() == [0, 0, 0]


def test_chunks_give_the_bits_of_the_whole_for_3000_objects(oracle, monkeypatch):
    truth, anchors = oracle.crowd(objects=3000, side=20)
    with oracle.PeakMemory() as memory:
        whole = DotDAssigner()(truth, anchors)
    assert memory.peak < 256e6 and (whole[1] == 1).sum() > 1000
    monkeypatch.setattr(max_iou, "PAIRS_PER_CHUNK", 170 * len(anchors))
    for ours, theirs in zip(DotDAssigner()(truth, anchors), whole, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"constant": 0}, r"MODEL\.DOTD\.CONSTANT\): got 0"),
        ({"negative": 0.8}, "MODEL.RPN.IOU_THRESHOLDS"),
        ({"min_positive": 0}, "got 0"),
    ],
)
def test_bad_settings_are_named(options, message):
    with pytest.raises(UserError, match=message):
        DotDAssigner(**options)


def rpn(*options):
    cfg = get_cfg()
    add_d2freq_config(cfg)
    levels = {f"p{number}": 2**number for number in range(2, 5)}
    cfg.MODEL.RPN.IN_FEATURES = list(levels)
    cfg.MODEL.ANCHOR_GENERATOR.SIZES = [[2 * stride] for stride in levels.values()]
    cfg.merge_from_list(list(options))
    return DotDRPN(cfg, {name: ShapeSpec(channels=8, stride=s) for name, s in levels.items()})


def test_an_rpn_trains_with_it_and_every_key_reaches_it():
    keys = ["MODEL.DOTD.CONSTANT", 9.0, "MODEL.DOTD.MIN_POS", 0.5]
    generator = rpn(*keys, "MODEL.RPN.IOU_THRESHOLDS", [0.4, 0.6]).train()
    assigner = DotDAssigner(constant=9.0, positive=0.6, negative=0.4, min_positive=0.5)
    assert vars(generator.anchor_matcher) == vars(assigner)
    truth = Instances((64, 64), gt_boxes=Boxes(torch.tensor([[8.0, 8, 12, 13]])))
    maps = {f"p{number}": torch.randn(1, 8, 64 >> number, 64 >> number) for number in range(2, 5)}
    with EventStorage():
        _, losses = generator(ImageList(torch.zeros(1, 3, 64, 64), [(64, 64)]), maps, [truth])
    sum(losses.values()).backward()
    assert all(value > 0 for value in losses.values())
    with pytest.raises(UserError, match="IOU_LABELS: DotDRPN takes"):
        rpn("MODEL.RPN.IOU_LABELS", [0, 0, 1], "MODEL.RPN.IOU_THRESHOLDS", [0.3, 0.7])
