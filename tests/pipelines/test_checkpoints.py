"""Checkpoints of SET, HS-FPN and the plain detector under Detectron2's own checkpointer."""

import logging

import pytest
import torch
from detectron2.checkpoint import DetectionCheckpointer
from detectron2.modeling import build_model
from torchvision import models

PLAIN = ("MODEL.BACKBONE.NAME", "build_resnet_fpn_backbone")
HSFPN = ("MODEL.BACKBONE.NAME", "build_resnet_hsfpn_backbone")
SET = ("MODEL.META_ARCHITECTURE", "SET")


@pytest.fixture
def saved(small, tmp_path):
    """From keys to the tensors of such a model and the file that the checkpointer wrote."""

    def save(*keys):
        model = build_model(small(*keys))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))
        DetectionCheckpointer(model, str(tmp_path)).save("saved")
        return model.state_dict(), str(tmp_path / "saved.pth")

    return save


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (SET + HSFPN, HSFPN),
        (HSFPN, SET + HSFPN),
        (SET + PLAIN, PLAIN),
        (PLAIN, SET + PLAIN),
        (PLAIN, HSFPN),
        (HSFPN, PLAIN),
        (PLAIN, SET + HSFPN),
        (SET + HSFPN, PLAIN),
    ],
)
def test_every_tensor_that_both_have_crosses(source, target, saved, small):
    given, file = saved(*source)
    model = build_model(small(*target))
    incompatible = DetectionCheckpointer(model).load(file)
    assert incompatible is not None
    loaded = model.state_dict()
    common = given.keys() & loaded.keys()
    assert len(common) > 100
    assert all(torch.equal(loaded[name], given[name]) for name in common)
    # what only one of them has are d2freq's own layers
    own = {name.split(".")[0] if name.startswith("set.") else name.split(".")[1][:7]
           for name in given.keys() ^ loaded.keys()}  # fmt: skip
    assert own <= {"set", "fpn_hfp", "fpn_sdp"}


@pytest.mark.filterwarnings("ignore")
def test_torchvisions_weights_are_told_before_the_checkpointer_skips_them(small, tmp_path, caplog):
    """Detectron2's checkpointer wants them converted; d2freq's takes them as they are."""
    from d2freq.engine.weights.torchvision import TorchvisionCheckpointer

    network = models.resnet18()
    file = tmp_path / "resnet18-f37072fd.pth"
    torch.save(network.state_dict(), file)
    name = "backbone.bottom_up.stem.conv1.weight"
    cfg = small("MODEL.WEIGHTS", str(file))
    with caplog.at_level(logging.WARNING, logger="d2freq"):
        model = build_model(cfg)
    assert "MODEL.WEIGHTS" in caplog.text and "docs/guest.md" in caplog.text
    DetectionCheckpointer(model).load(str(file))
    assert not torch.equal(model.state_dict()[name], network.conv1.weight)
    TorchvisionCheckpointer(model).load(str(file))
    assert torch.equal(model.state_dict()[name], network.conv1.weight)
