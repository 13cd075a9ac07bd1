"""ImageNet's weights in both ResNets of DetectoRS, by every checkpointer; its own weights too."""

import pickle
import re

import pytest
import torch
from detectron2.checkpoint import DetectionCheckpointer
from detectron2.modeling import build_model
from torchvision import models

from d2freq.engine import StrictCheckpointer, load_yaml
from d2freq.engine.weights.safe import SafeCheckpointer
from d2freq.engine.weights.torchvision import resnet_name

CONFIG = "configs/detectors/faster_rcnn_R18_SAC_RFP_scenes.yaml"
SMALL = "MODEL.DEVICE cpu MODEL.FPN.OUT_CHANNELS 32 MODEL.ROI_BOX_HEAD.FC_DIM 16".split()


def build(*words):
    return build_model(load_yaml(CONFIG, [*SMALL, *words])).eval()


@pytest.fixture(scope="module")
def model():
    return build()


@pytest.fixture(scope="module")
def imagenet():
    """Tensors of torchvision's ResNet-18."""
    return models.resnet18().state_dict()


def spoil(model):
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.fill_(0.5)


def assert_has(model, imagenet):
    """Every tensor of the file is in both ResNets, and works as it is."""
    first, second = model.backbone.bottom_up, model.backbone.rfp_bottom_up[0]
    ours = dict(second.names())
    kept = 0
    for name, value in imagenet.items():
        name = resnet_name(name)
        if name in ours:
            kept += 1
            assert torch.equal(first.state_dict()[name], value)
            assert torch.equal(second.state_dict()[ours[name]], value)
    assert kept >= 100
    for layer in (first.res4[1].conv2, second.stage4[1].conv2, second.stem.conv1):
        assert torch.allclose(layer.effective_weight(), layer.weight, atol=1e-6)


def test_torchvisions_file(model, imagenet, tmp_path, caplog):
    spoil(model)
    torch.save(imagenet, tmp_path / "resnet18.pth")
    with caplog.at_level("INFO"):
        StrictCheckpointer(model).load(str(tmp_path / "resnet18.pth"))
    assert_has(model, imagenet)
    lines = caplog.text.splitlines()  # a host may name what it has matched in other words
    missing = [line for line in lines if re.match(r"backbone\.(rfp_)?bottom_up", line)]
    own = ("context", "switch", "weight_diff", "offset_")  # of switchable convolutions
    assert missing and all(any(word in line for word in own) for line in missing)
    assert "gamma" not in caplog.text and "beta" not in caplog.text


@pytest.mark.parametrize(
    ("kind", "ending"),
    [(DetectionCheckpointer, "pth"), (DetectionCheckpointer, "pkl"), (SafeCheckpointer, "pth")],
)
def test_detectron2s_names_matched_by_their_endings(kind, ending, model, imagenet, tmp_path):
    """As in its own files of ImageNet weights, in which an entry may fit one layer alone."""
    spoil(model)
    file = tmp_path / f"R-18.{ending}"
    named = {resnet_name(name): value for name, value in imagenet.items()}
    named = {name: value for name, value in named.items() if "tracked" not in name}
    content = {"model": named, "matching_heuristics": True}
    if ending == "pth":
        torch.save(content, file)
    else:
        content["model"] = {name: value.numpy() for name, value in named.items()}
        content["__author__"] = "torchvision"
        file.write_bytes(pickle.dumps(content))
    kind(model).load(str(file))
    assert_has(model, {n: v for n, v in imagenet.items() if "tracked" not in n})


def test_what_it_saved_is_complete(model, tmp_path):
    """Gamma and beta among it; to be measured with a file has to hold everything."""
    torch.manual_seed(0)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5)
    wanted = {name: value.clone() for name, value in model.state_dict().items()}
    SafeCheckpointer(model, str(tmp_path)).save("own")
    spoil(model)
    reader = StrictCheckpointer(model)
    reader.complete = True
    reader.load(str(tmp_path / "own.pth"))
    assert any("weight_gamma" in name for name in wanted)
    assert all(torch.equal(value, wanted[name]) for name, value in model.state_dict().items())


def test_set_around_it_reads_and_writes_the_same(model, imagenet, tmp_path):
    around = build("MODEL.META_ARCHITECTURE", "SET", "MODEL.SET.DETECTOR", "GeneralizedRCNN")
    torch.save(imagenet, tmp_path / "resnet18.pth")
    StrictCheckpointer(around).load(str(tmp_path / "resnet18.pth"))
    assert_has(around.detector, imagenet)
    weights = around.state_dict()
    missing = model.load_state_dict(weights, strict=False).missing_keys
    assert not missing
    assert_has(model, imagenet)
