"""RGB weights in networks of other bands: equal planes compute what they computed in RGB."""

import pickle

import numpy as np
import pytest
import torch
from detectron2.config import get_cfg
from detectron2.modeling import build_backbone
from torch import nn
from torchvision import models

import d2freq
from d2freq.engine import StrictCheckpointer
from d2freq.engine.weights.bands import adapt_filters
from d2freq.errors import UserError


class Bare(nn.Module):
    """A backbone where a detector has it."""

    def __init__(self, name: str, bands: int) -> None:
        super().__init__()
        cfg = get_cfg()
        d2freq.add_d2freq_config(cfg)
        cfg.MODEL.BACKBONE.NAME = name
        cfg.MODEL.RESNETS.DEPTH = 18
        cfg.MODEL.RESNETS.RES2_OUT_CHANNELS = 64
        cfg.MODEL.RESNETS.OUT_FEATURES = ["res2"]
        cfg.MODEL.MOBILENETV2.OUT_FEATURES = ["res2"]
        cfg.MODEL.PIXEL_MEAN = cfg.MODEL.PIXEL_STD = [1.0] * bands
        self.backbone = build_backbone(cfg)
        self.backbone.eval()


RESNET, MOBILENET = "build_resnet_backbone", "build_mobilenetv2_backbone"


def published(name):
    network = models.resnet18() if name == RESNET else models.mobilenet_v2()
    return network.state_dict()


@pytest.mark.parametrize("bands", [1, 2, 4, 5, 6])
def test_the_first_filters_are_summed_or_repeated_and_rescaled(bands):
    weight = torch.randn(8, 3, 3, 3, dtype=torch.float64)
    adapted = adapt_filters(weight, bands)
    assert adapted.shape == (8, bands, 3, 3)
    if bands == 1:
        torch.testing.assert_close(adapted[:, 0], weight[:, 0] + weight[:, 1] + weight[:, 2])
    for band in range(bands if bands > 1 else 0):
        torch.testing.assert_close(adapted[:, band], weight[:, band % 3] * 3 / bands)
    if bands in (1, 6):  # of equal planes: the same answer as in RGB
        plane = torch.randn(2, 1, 9, 9, dtype=torch.float64)
        wanted = nn.functional.conv2d(plane.repeat(1, 3, 1, 1), weight)
        found = nn.functional.conv2d(plane.repeat(1, bands, 1, 1), adapted)
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("name", [RESNET, MOBILENET])
@pytest.mark.parametrize("bands", [1, 4])
def test_published_weights_load_into_other_bands(name, bands, tmp_path, caplog):
    torch.save(published(name), tmp_path / "rgb.pth")
    rgb, ours = Bare(name, 3), Bare(name, bands)
    for model in (rgb, ours):
        StrictCheckpointer(model).load(str(tmp_path / "rgb.pth"))
    assert ("the sum of its colours" if bands == 1 else "repeated, rescaled") in caplog.text
    first = [n for n in ours.state_dict() if n.endswith(("conv1.weight", "features.0.0.weight"))]
    name_of_first = next(n for n in first if "stem" in n or "features" in n)
    theirs, adapted = rgb.state_dict()[name_of_first], ours.state_dict()[name_of_first]
    torch.testing.assert_close(adapted, adapt_filters(theirs, bands))
    others = {n: v for n, v in ours.state_dict().items() if n != name_of_first}
    assert all(torch.equal(value, rgb.state_dict()[n]) for n, value in others.items())
    if bands == 1:
        grey = torch.randn(1, 1, 32, 32)
        with torch.no_grad():
            found = ours.backbone(grey)["res2"]
            wanted = rgb.backbone(grey.repeat(1, 3, 1, 1))["res2"]
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("author", ["torchvision", "Caffe2"])
def test_detectron2s_pkl_loads_alike(author, tmp_path):
    """The two kinds of .pkl files of Detectron2's zoo: converted names, and Caffe2's own."""
    weights = {"stem.conv1.weight": np.random.default_rng(0).normal(size=(64, 3, 7, 7))}
    content = {"model": weights, "__author__": author, "matching_heuristics": True}
    if author == "Caffe2":
        content = {"conv1_w": weights["stem.conv1.weight"].astype(np.float32)}
    path = tmp_path / "R-18.pkl"
    path.write_bytes(pickle.dumps(content))
    model = Bare(RESNET, 4)
    StrictCheckpointer(model).load(str(path))
    wanted = adapt_filters(torch.as_tensor(weights["stem.conv1.weight"]).float(), 4)
    torch.testing.assert_close(model.state_dict()["backbone.stem.conv1.weight"], wanted)


def test_weights_to_measure_with_are_not_made_to_fit(tmp_path):
    rgb, ours = Bare(RESNET, 3), Bare(RESNET, 4)
    torch.save({"model": rgb.state_dict()}, tmp_path / "rgb.pth")
    checkpointer = StrictCheckpointer(ours)
    checkpointer.complete = True
    with pytest.raises(UserError, match=r"stem\.conv1\.weight: \(64, 3, 7, 7\) in the checkpoint"):
        checkpointer.load(str(tmp_path / "rgb.pth"))
    torch.save({"model": ours.state_dict()}, tmp_path / "four.pth")
    again = Bare(RESNET, 4)
    StrictCheckpointer(again).load(str(tmp_path / "four.pth"))
    key = "backbone.stem.conv1.weight"
    assert torch.equal(again.state_dict()[key], ours.state_dict()[key])
