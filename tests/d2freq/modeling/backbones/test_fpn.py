"""How FPN and HS-FPN start by MODEL.FPN.LATERAL_INIT, and the levels of mmdet's RetinaNet."""

import math

import pytest
import torch
import torch.nn.functional as F
from detectron2.config import get_cfg
from detectron2.modeling import build_backbone
from detectron2.modeling.backbone import FPN as PlainFPN

from d2freq import add_d2freq_config
from d2freq.errors import UserError
from d2freq.modeling.backbones import FPN

STAGES = ["res2", "res3", "res4", "res5"]
CHANNELS = {"fpn_lateral2": 256, "fpn_lateral3": 512, "fpn_lateral4": 1024, "fpn_lateral5": 2048}


def build(name, stages=STAGES, **keys):
    cfg = get_cfg()
    add_d2freq_config(cfg)
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.BACKBONE.NAME = name
    cfg.MODEL.RESNETS.OUT_FEATURES = cfg.MODEL.FPN.IN_FEATURES = stages
    for key, value in keys.items():
        cfg.merge_from_list([key.replace("__", "."), value])
    torch.manual_seed(0)
    return build_backbone(cfg)


def assert_within(weight, bound):
    """All within the bound, and so many draws come near to it."""
    assert 0.99 * bound < weight.abs().max() <= bound


@pytest.mark.parametrize(
    "name", ["build_d2freq_resnet_fpn_backbone", "build_resnet_hsfpn_backbone"]
)
def test_bounds_of_the_lateral_convolutions(name):
    """At P5 0.0383 for c2, the host's, and 0.0510 for Xavier."""
    for init, bound in (
        ("c2", lambda fan_in: math.sqrt(3 / fan_in)),
        ("xavier", lambda fan_in: math.sqrt(6 / (fan_in + 256))),
    ):
        backbone = build(name, MODEL__FPN__LATERAL_INIT=init)
        for lateral, channels in CHANNELS.items():
            assert_within(getattr(backbone, lateral).weight, bound(channels))
            assert (getattr(backbone, lateral).bias == 0).all()
        for level in (2, 3, 4, 5):
            assert_within(getattr(backbone, f"fpn_output{level}").weight, math.sqrt(3 / 2304))


def test_by_default_it_is_the_hosts_to_the_last_bit():
    ours, host = build("build_d2freq_resnet_fpn_backbone"), build("build_resnet_fpn_backbone")
    assert type(ours) is FPN and type(host) is PlainFPN
    assert list(ours.state_dict()) == list(host.state_dict())
    for one, other in zip(ours.state_dict().values(), host.state_dict().values(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    "name",
    ["build_mobilenetv2_fpn_backbone", "build_mobilenetv2_hsfpn_backbone"]
    + ["build_fcos_resnet_fpn_backbone", "build_resnet_dct_fpn_backbone"],
)
def test_every_builder_of_ours_takes_the_key(name):
    stages = STAGES[1:] if name == "build_resnet_dct_fpn_backbone" else STAGES
    lateral = build(name, stages, MODEL__FPN__LATERAL_INIT="xavier").fpn_lateral5
    fans = sum(lateral.weight.shape[:2])
    assert_within(lateral.weight, math.sqrt(6 / fans))


@pytest.mark.parametrize("stages", [STAGES, STAGES[1:]])
def test_upper_levels_of_retinanet_are_linear_in_c5(stages):
    backbone = build(
        "build_d2freq_retinanet_resnet_fpn_backbone", stages, MODEL__FPN__LATERAL_INIT="xavier"
    ).eval()
    first = 6 - len(stages)
    with torch.no_grad():
        x = torch.randn(1, 3, 64, 64)
        levels, c5 = backbone(x), backbone.bottom_up(x)["res5"]
    assert list(levels) == [f"p{level}" for level in range(first, first + 5)]
    p6 = backbone.top_block.p6
    expected = F.conv2d(c5, p6.weight, p6.bias, stride=2, padding=1)
    torch.testing.assert_close(levels["p6"], expected)
    assert_within(p6.weight, math.sqrt(6 / (9 * (2048 + 256))))
    if "p7" in levels:
        p7 = backbone.top_block.p7
        expected = F.conv2d(levels["p6"], p7.weight, p7.bias, stride=2, padding=1)
        torch.testing.assert_close(levels["p7"], expected)
        assert (levels["p6"] < 0).any()  # a ReLU would be seen


def test_parameters_of_retinanets_neck():
    """Facts: 7,997,440 on P3 to P7 with P6 from C5, 8,063,232 on P2 to P6."""
    for stages, count in ((STAGES[1:], 7_997_440), (STAGES, 8_063_232)):
        with torch.device("meta"):
            backbone = build("build_d2freq_retinanet_resnet_fpn_backbone", stages)
        own = [p for n, p in backbone.named_parameters() if not n.startswith("bottom_up")]
        assert sum(p.numel() for p in own) == count


def test_wrong_keys_are_told():
    with pytest.raises(
        UserError, match=r"MODEL\.FPN\.LATERAL_INIT.*'he' .*choose one of c2, xavier"
    ):
        build("build_d2freq_resnet_fpn_backbone", MODEL__FPN__LATERAL_INIT="he")
    with pytest.raises(UserError, match="three or four maps.* has 2"):
        build("build_d2freq_retinanet_resnet_fpn_backbone", STAGES[2:])
