"""HS-FPN from both config systems: the same neck from YAML and from Python, and every level."""

import pytest
import torch
from detectron2.config import LazyCall, get_cfg, instantiate
from detectron2.modeling import build_backbone
from detectron2.modeling.backbone.fpn import LastLevelMaxPool

from d2freq import add_d2freq_config
from d2freq.errors import UserError
from d2freq.modeling.hs_fpn import HSFPN

STRIDES = {"res2": 4, "res3": 8, "res4": 16, "res5": 32}


def config(name="build_resnet_hsfpn_backbone", features=tuple(STRIDES), channels=32, **switches):
    cfg = get_cfg()
    add_d2freq_config(cfg)
    cfg.MODEL.BACKBONE.NAME = name
    cfg.MODEL.RESNETS.DEPTH = 18
    cfg.MODEL.RESNETS.RES2_OUT_CHANNELS = 64
    cfg.MODEL.RESNETS.OUT_FEATURES = list(features)
    cfg.MODEL.FPN.IN_FEATURES = list(features)
    cfg.MODEL.FPN.OUT_CHANNELS = channels
    for key, value in switches.items():
        cfg.merge_from_list([f"MODEL.HSFPN.{key}", value])
    return cfg


def lazy(channels=32, **arguments):
    from detectron2.modeling.backbone.resnet import BasicStem, ResNet

    stages = LazyCall(ResNet.make_default_stages)(depth=18, norm="FrozenBN")
    bottom_up = LazyCall(ResNet)(
        stem=LazyCall(BasicStem)(in_channels=3, out_channels=64, norm="FrozenBN"),
        stages=stages,
        out_features=list(STRIDES),
        freeze_at=2,
    )
    return LazyCall(HSFPN)(
        bottom_up=bottom_up,
        in_features=list(STRIDES),
        out_channels=channels,
        top_block=LazyCall(LastLevelMaxPool)(),
        **arguments,
    )


@pytest.mark.parametrize(
    "switches",
    [{}, {"preset": "released"}, {"alpha": [0.5, 0.25, 0, 0], "pool_size": 4, "sdp_norm": ""}],
)
def test_yaml_and_lazy_config_build_the_same(switches):
    torch.manual_seed(0)
    from_lazy = instantiate(lazy(**switches))
    torch.manual_seed(0)
    from_yaml = build_backbone(config(**{key.upper(): value for key, value in switches.items()}))
    assert from_lazy.switches == from_yaml.switches
    ours, theirs = from_lazy.state_dict(), from_yaml.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_keys_read_from_yaml_text(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        "MODEL:\n  HSFPN:\n    PRESET: released\n    ALPHA: [0.5, 0.25, 0, 0]\n    FUSION: concat\n"
        "    TAIL_NORM: ''\n    POOL_SIZE: 8\n    SPATIAL_DEPENDENCY: false\n"
    )
    cfg = config()
    cfg.merge_from_file(str(path))
    add_d2freq_config(cfg)  # keeps what is there
    switches = build_backbone(cfg).switches
    assert switches.alpha == (0.5, 0.25, 0, 0)
    assert switches.fusion == "concat"
    assert switches.tail_norm == ""
    assert switches.pool_size == (8, 8, 8, 8)
    assert not switches.spatial_dependency
    assert switches.gate_relu


@pytest.mark.parametrize(
    "features, levels",
    [
        (("res2", "res3", "res4", "res5"), ["p2", "p3", "p4", "p5", "p6"]),
        (("res3", "res4", "res5"), ["p3", "p4", "p5", "p6", "p7"]),
    ],
)
def test_one_stage_builder_makes_five_levels(features, levels):
    module = build_backbone(config("build_retinanet_resnet_hsfpn_backbone", features))
    assert list(module(torch.randn(1, 3, 64, 64))) == levels == list(module.output_shape())
    assert hasattr(module, f"fpn_hfp{5}") and not hasattr(module, f"fpn_sdp{5}")
    with pytest.raises(UserError, match="IN_FEATURES has 2"):
        build_backbone(config("build_retinanet_resnet_hsfpn_backbone", features[-2:]))
