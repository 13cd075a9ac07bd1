"""Backbones on frequencies: strides, channels, what is frozen, and keys that do not fit."""

import logging

import pytest
import torch
from detectron2.modeling import build_backbone

from d2freq.errors import UserError
from d2freq.modeling.frequency_input import DCTStem, describe_stem, make_stages

from .frequency_cases import frequency_config

RESNET, MOBILENET = "build_resnet_dct_backbone", "build_mobilenetv2_dct_backbone"
FREQ = "MODEL.FREQ_INPUT."
LEVELS = ["res2", "res3", "res4", "res5"]


def backbone(*options, name=RESNET):
    torch.manual_seed(0)
    return build_backbone(frequency_config("faster", *options, backbone=name)).eval()


def keys(**values):
    return [part for key, value in values.items() for part in (FREQ + key, value)]


CASES = {
    "x2": (RESNET, keys(), [4, 8, 16, 32]),
    "4x4": (RESNET, keys(MODE="4x4", CHANNELS=[0, 1, 4, 5, 16, 32]), [4, 8, 16, 32]),
    "8x8 shuffled": (RESNET, keys(MODE="8x8", ENTRY="shuffle"), [4, 8, 16, 32]),
    "8x8 into res2": (RESNET, keys(MODE="8x8", FIRST_STAGE="res2"), [8, 16, 32, 64]),
    "as released": (RESNET, keys(RES3_STRIDE=1), [4, 4, 8, 16]),
    "through a convolution": (RESNET, keys(ENTRY="conv"), [4, 8, 16, 32]),
    "learned": (
        RESNET,
        keys(STEM="learned", CHANNELS=10, ENTRY="shuffle", MODE="8x8", MEAN=[], STD=[]),
        [4, 8, 16, 32],
    ),
    "unshuffled": (
        RESNET,
        keys(STEM="unshuffle", MODE="4x4", CHANNELS="420", MEAN=[0.0] * 24, STD=[60.0] * 24),
        [4, 8, 16, 32],
    ),
    "random": (RESNET, keys(STEM="random"), [4, 8, 16, 32]),
    "mobilenet": (MOBILENET, keys(MODE="x4"), [4, 8, 16, 32]),
    "mobilenet at x2": (MOBILENET, keys(), [8, 16, 32, 64]),
    "mobilenet, 8x8 shuffled": (MOBILENET, keys(MODE="8x8", ENTRY="shuffle"), [4, 8, 16, 32]),
    "mobilenet through a convolution": (
        MOBILENET,
        keys(MODE="x4", ENTRY="conv"),
        [4, 8, 16, 32],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_features_are_as_large_as_they_say(case):
    name, options, strides = CASES[case]
    network = backbone(*options, name=name)
    shapes = network.output_shape()
    assert [shapes[level].stride for level in LEVELS] == strides
    with torch.no_grad():
        found = network(50 * torch.randn(1, 3, 64, 128))
    for level in LEVELS:
        stride = shapes[level].stride
        assert found[level].shape[1:] == (shapes[level].channels, 64 // stride, 128 // stride)
        assert found[level].isfinite().all()


def test_8x8_enters_at_res3_and_leaves_res2_out():
    levels = ("MODEL.RESNETS.OUT_FEATURES", LEVELS[1:])
    network = backbone(*keys(MODE="8x8"), *levels)
    assert {n: s.stride for n, s in network.output_shape().items()} == {
        "res3": 8,
        "res4": 16,
        "res5": 32,
    }
    assert not list(network.res2.parameters())
    assert network.res3[0].conv1.weight.shape[1] == 6
    assert network.size_divisibility == 8
    network(torch.zeros(1, 3, 72, 80))  # multiples of 8 are enough
    whole = backbone(*keys(MODE="8x8", ENTRY="conv"), *levels)
    assert whole.res3[0].conv1.weight.shape[1] == 16  # what res2 makes


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_any_depth_takes_any_number_of_channels(depth):
    with torch.device("meta"):
        for channels in (24, 64, 192):
            first, *_ = make_stages(depth, channels)[0]
            assert first.conv1.weight.shape[1] == channels
            assert first.shortcut is None or first.shortcut.weight.shape[1] == channels
    assert (first.shortcut is None) is False


def trained(network):
    return {name for name, p in network.named_parameters() if p.requires_grad}


def test_what_is_new_is_never_frozen(caplog):
    frozen = ("MODEL.BACKBONE.FREEZE_AT", 2)
    with caplog.at_level(logging.INFO):
        names = trained(backbone(*frozen))
    assert "res2.0.conv1 and .shortcut" in caplog.text
    new = {"res2.0.conv1.weight", "res2.0.shortcut.weight"}
    assert {n for n in names if n.startswith("res2")} >= new
    assert {n.rsplit(".", 1)[0] for n in names if n.startswith("res2")} == {
        f"res2.0.{layer}{norm}" for layer in ("conv1", "shortcut") for norm in ("", ".norm")
    }
    whole = trained(backbone(*frozen, *keys(ENTRY="conv")))
    assert {n for n in whole if not n.startswith("res")} == {
        f"stem.projection.{n}" for n in ("conv.weight", "norm.weight", "norm.bias")
    }
    assert not any(n.startswith("res2") for n in whole)
    learned = keys(STEM="learned", MEAN=[], STD=[])
    assert "stem.conv.weight" in trained(backbone(*frozen, *learned))
    gated = trained(backbone(*frozen, *keys(**{"GATE.ENABLED": True})))
    assert {n for n in gated if n.startswith("stem")} == {
        f"stem.gate.{layer}.{kind}"
        for layer in ("hidden", "norm", "decision")
        for kind in ("weight", "bias")
    }


def test_what_is_new_in_mobilenet_is_never_frozen():
    frozen = ("MODEL.BACKBONE.FREEZE_AT", 2, *keys(MODE="x4"))
    direct = trained(backbone(*frozen, name=MOBILENET))
    assert {n.split(".")[1] for n in direct} == {"1", *map(str, range(4, 19))}
    whole = trained(backbone(*frozen, *keys(ENTRY="conv"), name=MOBILENET))
    assert {n.split(".")[1] for n in whole} == {"0", *map(str, range(4, 19))}


def test_statistics_of_other_channels_are_refused():
    for options, message in (
        (keys(CHANNELS="24"), "6 values of mean for 24 channels.*dct-statistics"),
        (keys(MEASURED_FOR="dct x2 0,1,2,8,64,128"), "'dct x2 0,1,2,8,64,128', the stem has"),
        (keys(STEM="random", MEASURED_FOR="dct x2 0,1,8,9,64,128"), "'random seed 0 x2"),
        (keys(STEM="learned"), "MEAN and STD: STEM 'learned' takes no statistics"),
    ):
        with pytest.raises(UserError, match=message):
            backbone(*options)
    assert describe_stem(DCTStem(channels="6")) == "dct x2 0,1,8,9,64,128"
    network = backbone(*keys(MEASURED_FOR="dct x2 0,1,8,9,64,128"))
    assert network.stem.std.tolist() == [300, 50, 50, 30, 80, 80]


def test_missing_statistics_and_another_padding_are_warned_of(caplog):
    backbone(*keys(MEAN=[], STD=[]), "MODEL.PIXEL_MEAN", [128.0, 128.0, 100.0])
    assert "channels are not normalised" in caplog.text
    assert "padded with that colour instead of mid-grey" in caplog.text
    caplog.clear()
    backbone()
    assert not caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            keys(STEM="wavelet"),
            "STEM: 'wavelet' is unknown; choose one of dct, unshuffle, random, learned",
        ),
        (keys(MODE="2x2"), "mode: '2x2'"),
        (keys(MODE="x4"), "stride 2, which no stage of a ResNet has.*x2 and 4x4 enter at res2"),
        (keys(MODE="8x8"), "OUT_FEATURES asks for res2, but.*enter at res3"),
        (keys(ENTRY="shuffle"), "'shuffle' is for channels of a stride above 4"),
        (keys(ENTRY="sum"), "ENTRY: 'sum' is unknown; choose one of direct, conv, shuffle"),
        (keys(FIRST_STAGE="res4"), "begins with res4"),
        (keys(RES3_STRIDE=4), "stride 4 in res3"),
        (keys(STEM="unshuffle"), "'unshuffle' takes cells of 4 x 4 pixels: MODE 4x4"),
        (keys(STEM="learned", CHANNELS="square:4,2"), "how many there are, not 'square:4,2'"),
        (keys(CHANNELS=[0, 1, 8, 9, 64, 64]), r"\[64\] are given twice"),
        (keys(CHANNELS=[0, 1, 8, 9, 64, 192]), r"\[192\]: there are 0 to 191"),
        (["MODEL.PIXEL_MEAN", [128.0], "MODEL.PIXEL_STD", [1.0]], "3 channels, not 1.*grey images"),
        (["INPUT.FORMAT", "L"], "INPUT.FORMAT 'L'.*RGB or BGR"),
        (["MODEL.RESNETS.DEPTH", 20], "depth 20"),
        (["MODEL.RESNETS.DEPTH", 18], "RES2_OUT_CHANNELS"),
        (["MODEL.RESNETS.DEFORM_ON_PER_STAGE", [False, True, True, True]], "no deformable"),
    ],
)
def test_keys_that_do_not_fit_are_refused_with_the_cure(options, message):
    with pytest.raises(UserError, match=message):
        backbone(*options)
