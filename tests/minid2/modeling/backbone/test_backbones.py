"""Backbones against torchvision's ResNet and a pyramid written out by hand."""

import re

import pytest
import torch
import torchvision
from torch.nn import functional as F

from minid2.config import get_cfg
from minid2.modeling import BACKBONE_REGISTRY, FPN, build_backbone
from minid2.modeling.backbone.fpn import LastLevelP6P7
from minid2.modeling.backbone.resnet import BasicStem, ResNet


def config(**keys):
    """Default config with R18 and these keys of MODEL (dots as double underscores)."""
    cfg = get_cfg()
    cfg.MODEL.RESNETS.DEPTH = 18
    cfg.MODEL.RESNETS.RES2_OUT_CHANNELS = 64
    for key, value in keys.items():
        cfg.merge_from_list(["MODEL." + key.replace("__", "."), value])
    return cfg


def to_torchvision(name: str) -> str:
    """A parameter's name in torchvision's ResNet."""
    name = name.replace("stem.", "").replace("linear", "fc")
    name = re.sub(r"res(\d)", lambda found: f"layer{int(found[1]) - 1}", name)
    name = re.sub(r"conv(\d)\.norm", r"bn\1", name)
    return name.replace("shortcut.norm", "downsample.1").replace("shortcut", "downsample.0")


@pytest.mark.parametrize("depth", [18, 50])
def test_resnet_is_that_of_torchvision(depth):
    ours = ResNet(
        BasicStem(), ResNet.make_default_stages(depth), num_classes=7, out_features=["linear"]
    )
    theirs = getattr(torchvision.models, f"resnet{depth}")(num_classes=7)
    state = {to_torchvision(key): value for key, value in ours.state_dict().items()}
    theirs.load_state_dict(state)
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(ours.eval()(x)["linear"], theirs.eval()(x), rtol=1e-4, atol=1e-5)


def test_freezing_stops_stem_and_res2_and_leaves_the_rest():
    net = build_backbone(
        config(RESNETS__NORM="BN", RESNETS__OUT_FEATURES=["res3"], BACKBONE__FREEZE_AT=2)
    ).train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    net(torch.randn(2, 3, 64, 64))["res3"].mean().backward()
    for name, parameter in net.named_parameters():
        assert parameter.requires_grad == name.startswith("res3"), name
    after = net.state_dict()
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert moved and all(key.startswith("res3") for key in moved)


@pytest.mark.parametrize("fuse_type", ["sum", "avg"])
def test_pyramid_written_out(fuse_type):
    bottom_up = ResNet(
        BasicStem(norm=""),
        ResNet.make_default_stages(18, norm=""),
        out_features=["res3", "res4", "res5"],
    )
    top = LastLevelP6P7(8, 8, in_feature="p5")
    net = FPN(bottom_up, ["res3", "res4", "res5"], 8, top_block=top, fuse_type=fuse_type)
    x = torch.randn(1, 3, 64, 96)
    c = bottom_up(x)
    merged = {5: net.fpn_lateral5(c["res5"])}
    for level in (4, 3):
        above = merged[level + 1].repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        merged[level] = net.get_submodule(f"fpn_lateral{level}")(c[f"res{level}"]) + above
        merged[level] = merged[level] / (2 if fuse_type == "avg" else 1)
    wanted = {f"p{k}": net.get_submodule(f"fpn_output{k}")(merged[k]) for k in (3, 4, 5)}
    wanted["p6"] = top.p6(wanted["p5"])
    wanted["p7"] = top.p7(F.relu(wanted["p6"]))
    found = net(x)
    assert list(found) == list(wanted) == list(net.output_shape())
    torch.testing.assert_close(found, wanted)
    for name, shape in net.output_shape().items():
        assert found[name].shape[1] == shape.channels
        assert found[name].shape[-1] == -(-96 // shape.stride), name


def test_resnet_refuses_what_no_resnet_has():
    for keys, error, said in (
        ({"RESNETS__OUT_FEATURES": ["res9"]}, ValueError, "res9"),
        ({"RESNETS__DEPTH": 17}, ValueError, "DEPTH"),
        ({"RESNETS__RES5_DILATION": 2}, ValueError, "RES5_DILATION"),
        ({"RESNETS__NORM": "Foo"}, KeyError, "Foo"),
        ({"RESNETS__DEFORM_ON_PER_STAGE": [False, False, False, True]}, NotImplementedError, "DEF"),
        ({"BACKBONE__NAME": "build_nothing"}, KeyError, "build_nothing"),
    ):
        with pytest.raises(error, match=said):
            build_backbone(config(**keys))


def test_pyramid_refuses_features_that_do_not_fit():
    bottom_up = ResNet(
        BasicStem(), ResNet.make_default_stages(18), out_features=["res2", "res3", "res5"]
    )
    with pytest.raises(ValueError, match="res4"):
        FPN(bottom_up, ["res3", "res4"], 8)
    with pytest.raises(ValueError, match="twice the stride"):
        FPN(bottom_up, ["res3", "res5"], 8)
    with pytest.raises(ValueError, match="max"):
        FPN(bottom_up, ["res3"], 8, fuse_type="max")


def test_builder_has_to_return_a_backbone():
    def build_a_convolution(cfg, input_shape):
        return torch.nn.Conv2d(input_shape.channels, 1, 1)

    BACKBONE_REGISTRY.register(build_a_convolution)
    with pytest.raises(TypeError, match="build_a_convolution"):
        build_backbone(config(BACKBONE__NAME="build_a_convolution"))
