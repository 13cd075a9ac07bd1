"""Levels of the backbones for FCOS and RetinaNet, and the parameters of the published detector."""

import pytest
import torch
from detectron2.modeling import build_model
from torch.nn import functional as F

from d2freq.modeling.detectors.fcos import FCOS

R50 = {"MODEL__RESNETS__DEPTH": 50, "MODEL__RESNETS__RES2_OUT_CHANNELS": 256}
R50 |= {"MODEL__RESNETS__STRIDE_IN_1X1": False, "MODEL__FPN__OUT_CHANNELS": 256}
SCALES = 5  # a learned factor a level, in other implementations alone


def test_resnet_50_on_p3_to_p7_has_the_parameters_of_the_published_baseline(fcos_cfg):
    """SET's FCOS of 8 classes as mmcv counts it: 32,127,314, of which 31,851,794 are trained."""
    cfg = fcos_cfg(**R50, MODEL__FCOS__NUM_CLASSES=8, MODEL__DEVICE="meta")
    with torch.device("meta"):
        model = build_model(cfg)
    parameters = sum(p.numel() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    norms = sum(
        buffer.numel()
        for name, buffer in model.named_buffers()
        if name.endswith(("norm.weight", "norm.bias"))
    )
    assert parameters == 32_074_189
    assert parameters + norms + SCALES == 32_127_314
    assert trained + SCALES == 31_851_794


def levels(cfg, size=64):
    model = build_model(cfg).eval()
    with torch.no_grad():
        return model, model.backbone(torch.randn(1, 3, size, size))


def test_p3_to_p7_are_convolutions_on_p5_with_relu_before_p7(fcos_cfg):
    model, found = levels(fcos_cfg())
    assert {name: tuple(f.shape[1:]) for name, f in found.items()} == {
        f"p{i}": (32, max(64 >> i, 1), max(64 >> i, 1)) for i in range(3, 8)
    }
    top = model.backbone.top_block
    with torch.no_grad():
        torch.testing.assert_close(found["p6"], top.p6(found["p5"]))
        torch.testing.assert_close(found["p7"], top.p7(F.relu(found["p6"])))


@pytest.mark.parametrize("kind", ["FCOS", "RetinaNet"])
def test_p2_to_p6_have_a_convolution_on_p5(fcos_cfg, kind):
    stages = ["res2", "res3", "res4", "res5"]
    names = ["p2", "p3", "p4", "p5", "p6"]
    cfg = fcos_cfg(
        MODEL__META_ARCHITECTURE=kind,
        MODEL__RESNETS__OUT_FEATURES=stages,
        MODEL__FPN__IN_FEATURES=stages,
        MODEL__FCOS__IN_FEATURES=names,
        MODEL__RETINANET__IN_FEATURES=names,
        MODEL__ANCHOR_GENERATOR__SIZES=[[16], [32], [64], [128], [256]],
    )
    model, found = levels(cfg)
    assert list(found) == names and isinstance(model, FCOS) == (kind == "FCOS")
    with torch.no_grad():
        torch.testing.assert_close(found["p6"], model.backbone.top_block.p6(found["p5"]))
    if kind == "FCOS":
        strides = [float(a.tensor[0, 2] - a.tensor[0, 0]) for a in points(model, found)]
        assert strides == [4, 8, 16, 32, 64]


def points(model, found):
    return model.anchor_generator(list(found.values()))
