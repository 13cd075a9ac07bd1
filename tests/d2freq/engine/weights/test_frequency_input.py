"""Weights of RGB networks load into those on frequencies, and the log says what became of them."""

import logging
import pickle

import pytest
import torch
from detectron2.modeling import build_backbone, build_model
from torchvision import models

from d2freq.engine import StrictCheckpointer
from d2freq.engine.weights.strict import check_fits
from d2freq.engine.weights.torchvision import TorchvisionCheckpointer
from d2freq.errors import UserError

from ...modeling.frequency_input.frequency_cases import frequency_config

KINDS = [StrictCheckpointer, TorchvisionCheckpointer]
FREQ = "MODEL.FREQ_INPUT."
# the RGB stem of the tests' networks has 8 channels: fewer, as many, more
FEWER = [0, 1, 8, 9, 64, 128]
MORE = [*FEWER, 2, 16, 65]


def options(channels, **values):
    count = len(channels)
    found = {"CHANNELS": channels, "MEAN": [0.0] * count, "STD": [50.0] * count, **values}
    return [part for key, value in found.items() for part in (FREQ + key, value)]


def detector(*keys, backbone="build_resnet_dct_fpn_backbone", case="faster"):
    torch.manual_seed(0)
    return build_model(frequency_config(case, *keys, backbone=backbone))


@pytest.fixture
def rgb(tmp_path):
    """A trained RGB detector: its file, and its weights."""
    torch.manual_seed(1)
    model = build_model(frequency_config(backbone="build_resnet_fpn_backbone"))
    StrictCheckpointer(model, str(tmp_path)).save("rgb")
    return str(tmp_path / "rgb.pth"), model.state_dict()


BLOCK = "backbone.bottom_up.res2.0."


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("channels", "said"),
    [
        (FEWER, "res2.0.conv1.weight: the first 6 of 8 channels"),
        (FEWER + [2, 16], "res2.0.conv1.weight: all"),
        (MORE, r"anew, as (8, 9, 1, 1) does not fit into (8, 8, 1, 1)"),
    ],
    ids=["fewer", "as many", "more"],
)
def test_a_detector_takes_the_first_channels_of_an_rgb_one(kind, channels, said, rgb, caplog):
    file, theirs = rgb
    model = detector(*options(channels))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    kind(model).load(file, checkpointables=[])
    assert "of an RGB network" in caplog.text and said in caplog.text
    stem = sum(name.startswith("backbone.bottom_up.stem.") for name in theirs)
    assert f"{stem} tensors of its stem are left out" in caplog.text
    ours = model.state_dict()
    for name, value in ours.items():
        if name in (BLOCK + "conv1.weight", BLOCK + "shortcut.weight"):
            expected = before[name] if channels == MORE else theirs[name][:, : len(channels)]
        else:
            expected = theirs.get(name, before[name])
        assert torch.equal(value, expected), name


def test_behind_a_projection_the_weights_stay_whole(rgb, caplog):
    file, theirs = rgb
    model = detector(*options(FEWER, ENTRY="conv"))
    StrictCheckpointer(model).load(file)
    assert torch.equal(model.state_dict()[BLOCK + "conv1.weight"], theirs[BLOCK + "conv1.weight"])
    assert "stem are left out" in caplog.text and "channels" not in caplog.text


def test_set_over_frequencies_takes_them_too(rgb):
    file, theirs = rgb
    inner = ("MODEL.META_ARCHITECTURE", "SET", "MODEL.SET.DETECTOR", "GeneralizedRCNN")
    model = detector(*options(FEWER), *inner)
    StrictCheckpointer(model).load(file)
    found = model.detector.state_dict()[BLOCK + "conv1.weight"]
    assert torch.equal(found, theirs[BLOCK + "conv1.weight"][:, :6])


def test_torchvisions_resnet_loads(tmp_path, caplog):
    network = models.resnet18()
    torch.save(network.state_dict(), tmp_path / "resnet18.pth")
    keys = ("MODEL.RESNETS.DEPTH", 18, "MODEL.RESNETS.RES2_OUT_CHANNELS", 64)
    width = ("MODEL.RESNETS.WIDTH_PER_GROUP", 64, "MODEL.RESNETS.STEM_OUT_CHANNELS", 64)
    model = detector(*options(FEWER), *keys, *width)
    StrictCheckpointer(model).load(str(tmp_path / "resnet18.pth"))
    block = model.backbone.bottom_up.res2[0]
    assert torch.equal(block.conv1.weight, network.layer1[0].conv1.weight[:, :6])
    assert torch.equal(block.conv2.weight, network.layer1[0].conv2.weight)
    assert "the first 6 of 64 channels" in caplog.text


@pytest.mark.parametrize(("count", "said"), [(24, "first 24 of 32"), (32, ": all"), (64, "anew")])
def test_torchvisions_mobilenet_loads(count, said, tmp_path, caplog):
    network = models.mobilenet_v2()
    torch.save(network.state_dict(), tmp_path / "mobilenet_v2.pth")
    torch.manual_seed(0)
    cfg = frequency_config(
        "faster",
        *options(list(range(count)), MODE="x4"),
        backbone="build_mobilenetv2_dct_backbone",
    )
    model = torch.nn.ModuleDict({"backbone": build_backbone(cfg)})
    StrictCheckpointer(model).load(str(tmp_path / "mobilenet_v2.pth"))
    assert said in caplog.text and "6 tensors of its stem are left out" in caplog.text
    ours, theirs = model["backbone"].features, network.features
    assert torch.equal(ours[1].conv[1].weight, theirs[1].conv[1].weight[:, :count])
    assert torch.equal(ours[2].conv[0][0].weight, theirs[2].conv[0][0].weight)
    if count <= 32:
        assert torch.equal(ours[1].conv[0][0].weight, theirs[1].conv[0][0].weight[:count])


@pytest.mark.parametrize("style", ["detectron2", "caffe2"])
def test_a_pkl_file_loads(style, rgb, tmp_path):
    """Files of arrays: Detectron2's names without their prefix, or Caffe2's."""
    _, theirs = rgb
    prefix = "backbone.bottom_up."
    names = {"stem.conv1.weight": "conv1_w", "stem.conv1.norm.weight": "res_conv1_bn_s"}
    for layer, branch in (("conv1", "2a"), ("conv2", "2b"), ("shortcut", "1")):
        names[f"res2.0.{layer}.weight"] = f"res2_0_branch{branch}_w"
        names[f"res2.0.{layer}.norm.bias"] = f"res2_0_branch{branch}_bn_b"
    arrays = {
        (caffe2 if style == "caffe2" else name): theirs[prefix + name].numpy()
        for name, caffe2 in names.items()
    }
    content = arrays if style == "caffe2" else {"model": arrays, "matching_heuristics": True}
    if style == "detectron2":
        content["__author__"] = "torchvision"
    file = tmp_path / "R-50.pkl"
    file.write_bytes(pickle.dumps(content))
    model = detector(*options(FEWER))
    StrictCheckpointer(model).load(str(file))
    ours = model.state_dict()
    for name in names:
        if name.endswith(("conv1.weight", "shortcut.weight")) and name.startswith("res2"):
            assert torch.equal(ours[prefix + name], theirs[prefix + name][:, :6]), name
        elif name.startswith("res2"):
            assert torch.equal(ours[prefix + name], theirs[prefix + name]), name


def test_weights_of_its_own_kind_load_whole_and_others_are_refused(tmp_path, caplog):
    model = detector(*options(FEWER))
    StrictCheckpointer(model, str(tmp_path)).save("own")
    caplog.set_level(logging.WARNING)
    again = detector(*options(FEWER))
    for value in again.state_dict().values():
        value.add_(1)
    checkpointer = StrictCheckpointer(again)
    checkpointer.complete = True
    checkpointer.load(str(tmp_path / "own.pth"))
    assert "RGB" not in caplog.text
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
    with pytest.raises(UserError, match=r"does not fit(.|\n)*stem.mean: \(6,\) in the checkpoint"):
        check_fits(detector(*options(MORE)), str(tmp_path / "own.pth"), complete=True)


def test_an_rgb_detector_is_not_measured_as_one_on_frequencies(rgb):
    with pytest.raises(UserError, match="lacks 3 tensors.*stem.mean.*another model"):
        check_fits(detector(*options(FEWER + [2, 16])), rgb[0], complete=True)
