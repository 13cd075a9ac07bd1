"""The neck: parameter counts, switches, sizes, tracing."""

import pytest
import torch
import torch.nn.functional as F
from detectron2.layers import ShapeSpec
from detectron2.modeling import FPN, Backbone
from detectron2.modeling.backbone.fpn import LastLevelMaxPool

from d2freq.errors import UserError
from d2freq.modeling.hs_fpn import HSFPN

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


def test_plain_conv_is_one_convolution_a_lateral():
    off = dict(channel_path=False, spatial_path=False, spatial_dependency=False)
    control = neck(**off, plain_conv=True)
    plain = neck(**off)
    plain.load_state_dict(control.state_dict(), strict=False)
    for stage in (2, 3, 4, 5):
        lateral = getattr(plain, f"fpn_lateral{stage}")
        extra = getattr(control, f"fpn_hfp{stage}").tail.conv
        setattr(plain, f"fpn_lateral{stage}", torch.nn.Sequential(lateral, extra))
    expected, result = plain(image()), control(image())
    for name in expected:
        torch.testing.assert_close(result[name], expected[name])
    assert added(**off, plain_conv=True) == 4 * 256 * 256 * 9


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
        {"pool_size": 3},
        {"pool_size": [2, 2, 1, 1]},
        {"pool_reduce": "mean", "pool_size": 4},
        {"fusion": "interleave"},
        {"groups": 8},
        {"spatial_mode": ["conv", "raw", "conv", "conv"]},
        {"separate_value": True},
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
    own, others = module.state_dict(), usual.state_dict()
    reshaped = [key for key in own.keys() & others.keys() if own[key].shape != others[key].shape]
    # Weights of other shapes show the change by themselves; random ones prove nothing more.
    if not reshaped:
        usual.load_state_dict(own, strict=False)
        other = usual(image(96, 128))
        assert any(not torch.allclose(result[name], other[name]) for name in result)


@pytest.mark.parametrize("preset, top_down", [("paper", "two_pass"), ("released", "one_pass")])
def test_the_other_top_down_order_changes_the_result_and_trains(preset, top_down):
    test_every_switch_changes_the_result_and_trains(preset, {"top_down": top_down})


def test_one_pass_takes_keys_after_and_two_pass_before_the_addition():
    two, one = neck(top_down="two_pass"), neck()  # preset paper
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
