"""FFTFPN and WaveletFPN: plain FPN to begin with, from both config systems, and as a file."""

import copy
import warnings

import pytest
import torch
from detectron2.config import LazyCall, get_cfg, instantiate
from detectron2.modeling import build_backbone
from detectron2.modeling.backbone.fpn import LastLevelMaxPool
from detectron2.structures import ImageList

from d2freq import add_d2freq_config
from d2freq.errors import UserError
from d2freq.modeling.backbones import FPN, MobileNetV2
from d2freq.modeling.fft_fpn import FFTFPN
from d2freq.modeling.wavelet_fpn import WaveletFPN

LEVELS = ["res2", "res3", "res4", "res5"]
NECKS = {"fft": FFTFPN, "wavelet": WaveletFPN}
SWITCHES = {"fft": {"bands": 4, "per_channel": False}, "wavelet": {"gate": "channel"}}
both = pytest.mark.parametrize("kind", NECKS)


def make(neck, norm="FrozenBN", seed=0, **switches):
    torch.manual_seed(seed)
    bottom_up = MobileNetV2(norm=norm)
    return neck(
        bottom_up=bottom_up,
        in_features=LEVELS,
        out_channels=16,
        top_block=LastLevelMaxPool(),
        **switches,
    )


def disturb(neck) -> None:
    """Filters that do something."""
    for name, parameter in neck.named_parameters():
        if "fpn_fft" in name or "fpn_wavelet" in name:
            torch.nn.init.normal_(parameter, std=0.5)


def config(kind, builder="mobilenetv2", **switches):
    cfg = get_cfg()
    add_d2freq_config(cfg)
    cfg.MODEL.BACKBONE.NAME = f"build_{builder}_{kind}fpn_backbone"
    cfg.MODEL.BACKBONE.FREEZE_AT = 0
    cfg.MODEL.FPN.IN_FEATURES, cfg.MODEL.FPN.OUT_CHANNELS = LEVELS, 16
    cfg.MODEL.RESNETS.OUT_FEATURES, cfg.MODEL.RESNETS.DEPTH = LEVELS, 18
    cfg.MODEL.RESNETS.RES2_OUT_CHANNELS = 64
    for key, value in switches.items():
        cfg.MODEL[f"{kind.upper()}FPN"][key.upper()] = value
    return cfg


@both
def test_fresh_it_is_the_plain_fpn_bit_for_bit(kind):
    plain, neck = make(FPN).eval(), make(NECKS[kind], seed=1).eval()
    missing, surplus = neck.load_state_dict(plain.state_dict(), strict=False)
    assert not surplus and missing and all(f"fpn_{kind}" in key for key in missing)
    x = torch.randn(2, 3, 64, 96)
    expected, found = plain(x), neck(x)
    assert list(found) == list(expected) == ["p2", "p3", "p4", "p5", "p6"]
    assert all(torch.equal(found[name], expected[name]) for name in found)
    disturb(neck)
    assert not torch.equal(neck(x)["p2"], expected["p2"])


@both
def test_yaml_and_lazy_config_build_the_same(kind):
    switches = SWITCHES[kind]
    torch.manual_seed(0)
    from_yaml = build_backbone(config(kind, **switches))
    torch.manual_seed(0)
    from_lazy = instantiate(
        LazyCall(NECKS[kind])(
            bottom_up=LazyCall(MobileNetV2)(),
            in_features=LEVELS,
            out_channels=16,
            top_block=LazyCall(LastLevelMaxPool)(),
            **switches,
        )
    )
    ours, theirs = from_yaml.state_dict(), from_lazy.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert from_yaml.switches == from_lazy.switches


@both
@pytest.mark.parametrize(
    ("builder", "levels"), [("resnet", "p2 p3 p4 p5 p6"), ("retinanet_resnet", "p2 p3 p4 p5 p6")]
)
def test_other_builders(kind, builder, levels):
    neck = build_backbone(config(kind, builder))
    assert type(neck) is NECKS[kind] and " ".join(neck.output_shape()) == levels


@both
def test_each_image_of_a_padded_batch_is_seen_alone(kind):
    neck = make(NECKS[kind]).eval()
    disturb(neck)
    images = [torch.randn(3, *size) for size in ((64, 96), (96, 64), (33, 70))]
    divisor = neck.size_divisibility
    together = neck(ImageList.from_tensors(images, divisor).tensor)
    for place, image in enumerate(images):
        alone = neck(ImageList.from_tensors([image], divisor).tensor)
        for name, level in alone.items():
            height, width = level.shape[-2:]
            torch.testing.assert_close(together[name][place, :, :height, :width], level[0])


@both
def test_with_a_batch_norm_that_trains_the_filters_alone_see_each_image(kind):
    neck = make(NECKS[kind], norm="BN").train()
    disturb(neck)
    seen = []
    own = neck.get_submodule(f"fpn_{kind}2")
    own.register_forward_pre_hook(lambda module, given: seen.append(tuple(given[0].shape)))
    images = [torch.randn(3, *size) for size in ((64, 96), (96, 64))]
    neck(ImageList.from_tensors(images, neck.size_divisibility).tensor)
    assert sorted(seen) == [(1, 16, 16, 24), (1, 16, 24, 16)]
    assert all(lateral.extents is None for lateral in neck.lateral_convs)


@both
def test_a_copy_has_filters_of_its_own(kind):
    neck = make(NECKS[kind]).eval()
    twin = copy.deepcopy(neck)
    disturb(twin)
    x = torch.randn(1, 3, 64, 64)
    assert not torch.equal(neck(x)["p2"], twin(x)["p2"])


@pytest.mark.parametrize(
    ("kind", "switches", "message"),
    [
        ("fft", {"bands": 1}, "FFTFPN switch bands .MODEL.FFTFPN.BANDS.: got 1"),
        ("wavelet", {"gate": "pixel"}, "WaveletFPN switch gate .MODEL.WAVELETFPN.GATE.: got 'pix"),
        ("wavelet", {"preset": "paper"}, "WaveletFPN preset"),
    ],
)
def test_a_wrong_switch_is_refused(kind, switches, message):
    with pytest.raises(UserError, match=message):
        make(NECKS[kind], **switches)


class Finest(torch.nn.Module):
    """A neck as a function of one tensor to one."""

    def __init__(self, neck):
        super().__init__()
        self.neck = neck

    def forward(self, x):
        return self.neck(x)["p2"]


@both
def test_as_a_file_it_takes_another_size(kind, tmp_path):
    neck = Finest(make(NECKS[kind]).eval())
    disturb(neck)
    traced_with, other = torch.randn(1, 3, 64, 96), torch.randn(1, 3, 96, 160)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = neck(other)
        traced = torch.jit.trace(neck, (traced_with,), check_trace=False)
        torch.testing.assert_close(traced(other), expected)
        pytest.importorskip("onnx")
        runtime = pytest.importorskip("onnxruntime")
        file, axes = str(tmp_path / "neck.onnx"), {"x": {2: "height", 3: "width"}}
        torch.onnx.export(
            *(neck, (traced_with,), file),
            dynamo=False,
            opset_version=17,
            input_names=["x"],
            dynamic_axes=axes,
        )
    (found,) = runtime.InferenceSession(file).run(None, {"x": other.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), expected, atol=1e-4, rtol=1e-4)
