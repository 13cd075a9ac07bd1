"""HierarchicalAssigner against loops over Python's floats; receptive fields and their anchors."""

import pytest
import torch
from detectron2.layers import ShapeSpec

from d2freq.errors import UserError
from d2freq.modeling.assignment import (
    HierarchicalAssigner,
    RFLAAnchorGenerator,
    ranking,
    receptive_fields,
)


@pytest.mark.parametrize(
    "topk, ratio, metric, labels",
    [
        ((3, 1), 0.9, "kl", {-1, 0, 1}),
        ((2, 2), 0.5, "kl", {0, 1}),  # half as large they are far from every object
        ((3, 1), 0.9, "wd", {0, 1}),  # a score of 0.8 is a distance of half a pixel
    ],
)
def test_equal_to_the_loops_in_200_random_cases(oracle, topk, ratio, metric, labels):
    assigner = HierarchicalAssigner(topk=topk, shrink_ratio=ratio, metric=metric)
    score = {"score": oracle.wd_score} if metric == "wd" else {}
    seen = set()
    for seed in oracle.CASES:
        truth, anchors = oracle.random_case(seed)
        expected = oracle.rfla(truth, anchors, topk=topk, ratio=ratio, **score)
        assert oracle.found(assigner(truth, anchors)) == expected, seed
        seen.update(expected[1])
    assert seen == labels


def test_the_second_stage_adds_anchors_and_keeps_those_of_the_first():
    truth = torch.tensor([[0.0, 0, 8, 8]])
    anchors = torch.tensor([[0.0, 0, 8, 8], [-0.5, -0.5, 8.5, 8.5], [100, 100, 108, 108]])
    _, first = HierarchicalAssigner(topk=[1])(truth, anchors)
    _, both = HierarchicalAssigner(topk=[1, 1])(truth, anchors)
    assert first.tolist() == [1, -1, 0]
    assert both.tolist() == [1, 1, 0]  # 9 x 0.9 is nearer to 8 than 8 x 0.9 is


def test_one_stage_or_no_shrinking(oracle):
    truth, anchors = oracle.random_case(0)
    once = HierarchicalAssigner(topk=[2])(truth, anchors)
    again = HierarchicalAssigner(topk=[2, 2], shrink_ratio=1)(truth, anchors)
    assert oracle.found(once) == oracle.found(again)


def test_chunks_give_the_bits_of_the_whole(oracle, monkeypatch):
    truth, anchors = oracle.crowd(objects=61, side=40)
    for metric in ("kl", "wd"):
        assigner = HierarchicalAssigner(metric=metric)
        monkeypatch.setattr(ranking, "PAIRS_PER_CHUNK", len(truth) * len(anchors))
        whole = assigner(truth, anchors)
        for rows in (1, 2, 7, 60):
            monkeypatch.setattr(ranking, "PAIRS_PER_CHUNK", rows * len(anchors))
            assert all(map(torch.equal, assigner(truth, anchors), whole))


def test_3000_objects_need_less_than_256_megabytes(oracle):
    truth, anchors = oracle.crowd(objects=3000, side=50)
    with oracle.PeakMemory() as memory:
        HierarchicalAssigner()(truth, anchors)
    assert memory.peak < 256e6


def test_266_thousand_anchors_need_less_than_256_megabytes(oracle):
    truth, anchors = oracle.crowd(objects=100, side=260)
    assert len(anchors) > 266_000
    with oracle.PeakMemory() as memory:
        HierarchicalAssigner()(truth, anchors)
    assert memory.peak < 256e6


@pytest.mark.slow  # 960 million pairs: about 9 s alone, more beside other work
def test_3000_objects_and_160_thousand_anchors(oracle):
    truth, anchors = oracle.crowd(objects=3000, side=200)
    with oracle.PeakMemory() as memory:
        HierarchicalAssigner()(truth, anchors)
    assert memory.peak < 256e6


@pytest.mark.parametrize(
    "options, message",
    [
        ({"metric": "iou"}, "MODEL.RFLA.METRIC.*'iou'.*kl, wd"),
        ({"topk": 3}, "MODEL.RFLA.TOPK.*got 3.*a list"),
        ({"topk": []}, "MODEL.RFLA.TOPK.*a list"),
        ({"topk": [3, 0]}, "MODEL.RFLA.TOPK.*got 0"),
        ({"shrink_ratio": 0}, "MODEL.RFLA.SHRINK_RATIO.*got 0"),
        ({"negative_threshold": 2}, "MODEL.RFLA.NEGATIVE_THRESHOLD.*got 2"),
    ],
)
def test_bad_settings_are_named(options, message):
    with pytest.raises(UserError, match=message):
        HierarchicalAssigner(**options)


def test_receptive_fields_of_resnet_50_are_those_of_rfla():
    assert receptive_fields(50, range(2, 8)) == [35, 91, 267, 427, 555, 811]
    assert receptive_fields(50, [3, 7]) == [91, 811]


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_receptive_fields_are_what_the_gradient_reaches(depth):
    """Oracle: torchvision's network with positive weights; res4 fits in a small image."""
    torchvision = pytest.importorskip("torchvision")
    network = getattr(torchvision.models, f"resnet{depth}")(weights=None).double().eval()
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, 1e-3)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)
    # Two rows of a broad image: a field is as wide as it is high.
    x = torch.rand(1, 3, 1, 512, dtype=torch.float64).requires_grad_()
    stem = network.maxpool(network.relu(network.bn1(network.conv1(x))))
    # Max pooling passes one of three values on: the field counts all of them.
    widened = torch.nn.functional.avg_pool2d(
        network.relu(network.bn1(network.conv1(x))), 3, stride=2, padding=1
    )
    assert stem.shape == widened.shape
    levels = {2: network.layer1(widened)}
    levels[3] = network.layer2(levels[2])
    for level, feature in levels.items():
        middle = feature[..., feature.shape[-1] // 2].sum()
        (gradient,) = torch.autograd.grad(middle, x, retain_graph=True)
        columns = gradient.abs().sum(dim=(0, 1, 2)).nonzero().flatten()
        assert [int(columns[-1] - columns[0]) + 1] == receptive_fields(depth, [level])


def test_receptive_fields_of_another_network_are_refused():
    with pytest.raises(UserError, match="depth 18, 34, 50, 101, 152, not 20.*RECEPTIVE_FIELDS"):
        receptive_fields(20, [2])
    with pytest.raises(UserError, match="start with P2"):
        receptive_fields(50, [1, 2])


def test_anchors_are_receptive_fields_of_half_the_side_at_stride_times_i():
    maps = [torch.zeros(1, 1, 3, 4), torch.zeros(1, 1, 2, 2)]
    generator = RFLAAnchorGenerator(
        receptive_fields=receptive_fields(50, [2, 3]), aspect_ratios=[0.5, 1, 2], strides=[4, 8]
    )
    assert generator.num_anchors == [3, 3]
    for boxes, stride, side, width in zip(
        generator(maps), (4, 8), (17.5, 45.5), (4, 2), strict=True
    ):
        centres = boxes.get_centers().reshape(-1, width, 3, 2)
        steps = stride * torch.arange(centres.shape[0])
        torch.testing.assert_close(centres[:, 0, :, 1], steps[:, None].expand(-1, 3).float())
        assert centres[0, 1, :, 0].tolist() == pytest.approx([stride] * 3, abs=1e-5)
        areas = boxes.area().reshape(-1, 3)
        torch.testing.assert_close(areas, torch.full_like(areas, side**2))
        squares = boxes.tensor.reshape(-1, 3, 4)[:, 1]
        torch.testing.assert_close(squares[:, 2:] - squares[:, :2], areas[:, :2].sqrt())


def test_wrong_number_of_receptive_fields_is_named():
    with pytest.raises(UserError, match="RECEPTIVE_FIELDS.*: 1 for 2 feature maps"):
        RFLAAnchorGenerator(receptive_fields=[35], aspect_ratios=[1], strides=[4, 8])


def test_a_backbone_of_unknown_receptive_fields_is_refused():
    from detectron2.config import get_cfg
    from detectron2.modeling.anchor_generator import build_anchor_generator

    from d2freq import add_d2freq_config

    cfg = get_cfg()
    add_d2freq_config(cfg)
    cfg.MODEL.ANCHOR_GENERATOR.NAME = "RFLAAnchorGenerator"
    cfg.MODEL.BACKBONE.NAME = "build_mobilenetv2_fpn_backbone"
    shapes = [ShapeSpec(channels=8, stride=stride) for stride in (4, 8)]
    with pytest.raises(UserError, match="build_mobilenetv2_fpn_backbone.*RECEPTIVE_FIELDS"):
        build_anchor_generator(cfg, shapes)
    cfg.MODEL.RFLA.RECEPTIVE_FIELDS = [30, 70]
    sizes = [cell[1, 2] - cell[1, 0] for cell in build_anchor_generator(cfg, shapes).cell_anchors]
    assert sizes == [15, 35]
