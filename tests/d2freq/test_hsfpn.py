"""The neck: parameter counts, switches, sizes, builders of both config systems, tracing."""

import pytest
import torch
import torch.nn.functional as F
from detectron2.config import LazyCall, get_cfg, instantiate
from detectron2.layers import ShapeSpec
from detectron2.modeling import FPN, Backbone, build_backbone
from detectron2.modeling.backbone.fpn import LastLevelMaxPool

from d2freq import add_d2freq_config
from d2freq.errors import UserError
from d2freq.modeling.hs_fpn import HSFPN, resolve_switches

STRIDES = {"res2": 4, "res3": 8, "res4": 16, "res5": 32}


class Pyramid(Backbone):
    """Four maps of an image by pooling: a backbone without weights of its own to count."""

    def __init__(self, channels=32):
        super().__init__()
        self.channels = channels
        self._out_features = list(STRIDES)
        self._out_feature_strides = STRIDES
        self._out_feature_channels = dict.fromkeys(STRIDES, channels)

    def output_shape(self):
        return {
            name: ShapeSpec(channels=self.channels, stride=stride)
            for name, stride in STRIDES.items()
        }

    def forward(self, x):
        x = x.repeat(1, self.channels // x.shape[1] + 1, 1, 1)[:, : self.channels]
        return {name: F.avg_pool2d(x, stride, ceil_mode=True) for name, stride in STRIDES.items()}


def neck(kind=HSFPN, channels=32, features=tuple(STRIDES), **arguments):
    torch.manual_seed(0)
    arguments = {"top_block": LastLevelMaxPool()} | arguments
    return kind(Pyramid(), in_features=features, out_channels=channels, **arguments)


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


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def image(height=64, width=96):
    return torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(1))


# ---------------------------------------------------------------------------- parameter counts


def added(**switches):
    return count(neck(channels=256, **switches)) - count(neck(FPN, channels=256))


def test_paper_preset_adds_the_parameters_of_table_5():
    assert added(spatial_dependency=False) == 2_386_944
    assert added(channel_path=False, spatial_path=False) == 396_288
    assert added() == 2_783_232
    tails = 4 * 256 * 256 * 9
    assert added(spatial_dependency=False, spatial_path=False) == tails + 4 * (6_144 + 512)
    assert added(spatial_dependency=False, channel_path=False) == tails + 4 * 256


def test_released_preset_adds_the_parameters_of_the_published_code():
    module = neck(channels=256, preset="released", spatial_dependency=False)
    weights = {
        name: parameter.numel()
        for name, parameter in module.named_parameters()
        if "fpn_hfp" in name and parameter.dim() == 4
    }
    assert sum(n for name, n in weights.items() if "tail" in name) == 4 * 256 * 256 * 9
    assert sum(n for name, n in weights.items() if "tail" not in name) == 4 * 4_096 + 512
    # bias and GroupNorm (weight, bias) of the four 3x3 convolutions
    assert added(preset="released", spatial_dependency=False) == sum(weights.values()) + 4 * 3 * 256
    assert added(preset="released", channel_path=False, spatial_path=False) == 396_288


# ---------------------------------------------------------------------------- relation to FPN


@pytest.mark.parametrize("fuse_type", ["sum", "avg"])
def test_without_hfp_and_sdp_it_is_fpn(fuse_type):
    plain = neck(FPN, fuse_type=fuse_type, norm="GN")
    module = neck(
        fuse_type=fuse_type,
        norm="GN",
        channel_path=False,
        spatial_path=False,
        spatial_dependency=False,
    )
    module.load_state_dict(plain.state_dict())
    assert module.output_shape() == plain.output_shape()
    assert module.size_divisibility == plain.size_divisibility == 32
    expected, result = plain(image()), module(image())
    assert list(result) == list(expected)
    for name in expected:
        torch.testing.assert_close(result[name], expected[name])


@pytest.mark.parametrize("preset", ["paper", "released"])
def test_checkpoint_of_a_plain_fpn_loads(preset):
    plain, module = neck(FPN, norm="GN"), neck(norm="GN", preset=preset)
    torch.nn.init.normal_(plain.fpn_lateral3.weight)
    report = module.load_state_dict(plain.state_dict(), strict=False)
    assert not report.unexpected_keys
    assert all(key.startswith(("fpn_hfp", "fpn_sdp")) for key in report.missing_keys)
    assert torch.equal(module.fpn_lateral3.weight, plain.fpn_lateral3.weight)


# ---------------------------------------------------------------------------- switches


@pytest.mark.parametrize("preset", ["paper", "released"])
@pytest.mark.parametrize(
    "switches",
    [
        {"channel_path": False},
        {"spatial_path": False},
        {"channel_path": False, "spatial_path": False},
        {"spatial_dependency": False},
        {"alpha": 0.5},
        {"alpha": [0.25, 0.25, 0.25, 0.0]},
        {"alpha": 0.3, "rounding": "ceil"},
        {"pool_size": 3},
        {"pool_size": [2, 2, 1, 1]},
        {"pool_reduce": "mean", "pool_size": 4},
        {"fusion": "interleave"},
        {"groups": 8},
        {"spatial_mode": ["conv", "raw", "conv", "conv"]},
        {"separate_value": True},
        {"top_down": "one_pass"},
        {"sdp_relu": False},
        {"sdp_norm": ""},
    ],
)
def test_every_switch_changes_the_result_and_trains(preset, switches):
    module = neck(preset=preset, **switches)
    result = module(image(96, 128))
    sum(level.square().mean() for level in result.values()).backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name

    usual = neck(preset=preset)
    if same_shapes(module, usual):  # then the weights are no reason to differ
        usual.load_state_dict(module.state_dict(), strict=False)
    other = usual(image(96, 128))
    assert any(not torch.allclose(result[name], other[name]) for name in result)


def same_shapes(a, b):
    mine, theirs = a.state_dict(), b.state_dict()
    return all(mine[key].shape == theirs[key].shape for key in mine.keys() & theirs.keys())


@pytest.mark.parametrize(
    "name, values",
    {
        "fusion": ("concat", "sum"),
        "gate_bias": (True, False),
        "gate_relu": (False, True),
        "spatial_mode": (("conv",) * 4, ("raw", "raw", "conv", "conv")),
        "pool_size": ((16,) * 4, (16, 8, 1, 1)),
        "tail_bias": (False, True),
        "tail_relu": (False, True),
        "tail_norm": ("", "GN"),
    }.items(),
)
def test_presets_differ_in_switches_that_can_be_set_one_by_one(name, values):
    paper = resolve_switches("paper", stages=[2, 3, 4, 5], channels=256)
    released = resolve_switches("released", stages=[2, 3, 4, 5], channels=256)
    assert (getattr(paper, name), getattr(released, name)) == values
    mixed = resolve_switches("paper", stages=[2, 3, 4, 5], channels=256, **{name: values[1]})
    assert getattr(mixed, name) == values[1]


def test_one_alpha_holds_at_the_filtered_levels_and_presets_follow_the_stage():
    def alphas(stages, **switches):
        return resolve_switches("released", stages=stages, channels=256, **switches)

    assert alphas([2, 3, 4, 5], alpha=0.75).alpha == (0.75, 0.75, 0, 0)
    assert alphas([3, 4, 5]).alpha == (0.25, 0, 0)
    assert alphas([3, 4, 5]).pool_size == (8, 1, 1)
    assert alphas([3, 4, 5], alpha=[1, 0.5, 0]).alpha == (1, 0.5, 0)


def test_one_pass_takes_keys_after_and_two_pass_before_the_addition():
    two, one = neck(), neck(top_down="one_pass")
    captured = {}
    for module, kind in ((two, "two"), (one, "one")):
        for stage in (2, 3, 4):
            module.get_submodule(f"fpn_sdp{stage}").register_forward_hook(
                lambda _, inputs, out, key=(kind, stage): captured.update({key: (inputs[1], out)})
            )
    two(image()), one(image())
    for stage in (3, 2):
        above, out = captured["two", stage + 1]
        assert torch.equal(captured["two", stage][0], out)
        above, out = captured["one", stage + 1]
        pyramid_level = out + F.interpolate(above, scale_factor=2.0, mode="nearest")
        torch.testing.assert_close(captured["one", stage][0], pyramid_level)


@pytest.mark.parametrize(
    "switches, message",
    [
        ({"preset": "papers"}, "preset 'papers' is unknown; choose one of paper, released"),
        ({"fusion": "add"}, "fusion: got 'add'; choose from: concat, interleave, sum"),
        ({"sdp_norm": "XX"}, "sdp_norm: got 'XX'; choose from: '', GN, BN, SyncBN"),
        ({"alpha": 1.5}, r"alpha: got 1.5; choose from: a number in \[0, 1\]"),
        ({"alpha": [0.1, 0.2]}, r"alpha: 2 values .* 4 levels \(P2, P3, P4, P5\)"),
        ({"pool_size": 0}, "pool_size: got 0; choose from: a whole number"),
        ({"pool_size": [16, 8, 1, "x"]}, "pool_size: got 'x'"),
        ({"channel_path": "yes"}, "channel_path: got 'yes'; choose from: True, False"),
        ({"groups": 12}, "groups 12 .* does not divide the 32 channels"),
        ({"channels": 48, "groups": 16}, "sdp_norm: GN has 32 groups.* 48 channels"),
        ({"top_down": 2}, "top_down: got 2; choose from: two_pass, one_pass"),
    ],
)
def test_unknown_values_are_named_with_the_choices(switches, message):
    with pytest.raises(UserError, match=message):
        neck(**switches)


# ---------------------------------------------------------------------------- sizes and scale


@pytest.mark.parametrize("preset", ["paper", "released"])
@pytest.mark.parametrize("size", [(32, 32), (32, 160), (64, 96), (160, 128), (96, 32)])
def test_every_padded_size_trains_a_step(size, preset):
    module = neck(preset=preset)
    result = module(image(*size))
    for name, stride in module._out_feature_strides.items():
        assert result[name].shape[-2:] == tuple(-(-side // stride) for side in size), name
    sum(level.square().mean() for level in result.values()).backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("size", [(100, 64), (64, 33)])
def test_an_unpadded_image_is_refused_by_size_and_divisor(size):
    with pytest.raises(UserError, match=r"res2 of \d+ x \d+ .* multiple of 32"):
        neck()(image(*size))


@pytest.mark.parametrize("top_down", ["two_pass", "one_pass"])
@pytest.mark.parametrize("preset", ["paper", "released"])
def test_nothing_explodes_at_the_start(preset, top_down):
    images = 3 * image(128, 128)
    expected = neck(FPN, channels=128, norm="GN")(images)
    result = neck(channels=128, norm="GN", preset=preset, top_down=top_down)(images)
    for name in expected:  # a normed output: of the same scale, and not constant
        assert 0.5 < result[name].std() / expected[name].std() < 2
    expected, result = neck(FPN)(images), neck(preset=preset, top_down=top_down)(images)
    for name in expected:  # SDP adds maps of unit scale to the laterals
        assert result[name].std() < 3 * (expected[name].std() + 1)


def test_bfloat16_autocast_and_channels_last_train():
    module = neck().to(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = module(image(96, 160).contiguous(memory_format=torch.channels_last))
    expected = neck()(image(96, 160))
    sum(level.float().square().mean() for level in result.values()).backward()
    for name in expected:
        error = (result[name].float() - expected[name]).abs().max()
        assert error < 0.1 * expected[name].abs().max(), name
    assert all(parameter.grad.isfinite().all() for parameter in module.parameters())


# ---------------------------------------------------------------------------- builders


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
    assert list(module(image(64, 64))) == levels == list(module.output_shape())
    assert hasattr(module, f"fpn_hfp{5}") and not hasattr(module, f"fpn_sdp{5}")
    with pytest.raises(UserError, match="IN_FEATURES has 2"):
        build_backbone(config("build_retinanet_resnet_hsfpn_backbone", features[-2:]))


# ---------------------------------------------------------------------------- export


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("preset", ["paper", "released"])
def test_trace_equals_eager_at_other_sizes_too(preset):
    module = neck(preset=preset).eval()

    class Levels(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.module = module

        def forward(self, x):
            return tuple(self.module(x).values())

    traced = torch.jit.trace(Levels(), image(64, 96), check_trace=False)
    for size in [(64, 96), (96, 160), (32, 32)]:
        for ours, theirs in zip(traced(image(*size)), module(image(*size)).values(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
