"""Checkpoints cross the line between a detector and SET, both ways and by ``d2freq strip``."""

import logging

import pytest
import torch
from torchvision import models

from d2freq.cli import main
from d2freq.engine import StrictCheckpointer
from d2freq.engine.weights.strict import check_fits
from d2freq.engine.weights.torchvision import TorchvisionCheckpointer
from d2freq.errors import UserError

from ...modeling.set.set_cases import build

KINDS = [StrictCheckpointer, TorchvisionCheckpointer]


@pytest.fixture
def files(tmp_path):
    """Checkpoints of a detector with SET and without, as a trainer writes them."""
    for name in ("set", "plain"):
        model = build("fcos", with_set=name == "set")
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        checkpointer = StrictCheckpointer(model, str(tmp_path), optimizer=optimizer)
        checkpointer.save(name, iteration=7)
    return {name: str(tmp_path / f"{name}.pth") for name in ("set", "plain")}


@pytest.fixture(params=["now", "before"])
def set_file(request, files, tmp_path):
    """A SET checkpoint as it is written, and as it was before SET kept the detector's names."""
    if request.param == "before":
        content = torch.load(files["set"], weights_only=True)
        content["model"] = {
            n.removeprefix("set.") if n.startswith("set.") else f"detector.{n}": value
            for n, value in content["model"].items()
        }
        torch.save(content, tmp_path / "before.pth")
        return str(tmp_path / "before.pth")
    return files["set"]


def scrambled(**options):
    """A detector with other weights than those in the files."""
    model = build("fcos", **options)
    for value in model.state_dict().values():
        value.add_(1)
    return model


def weights_of(file):
    return torch.load(file, weights_only=True)["model"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_detector_reads_a_set_checkpoint(kind, set_file, files, caplog):
    model = scrambled(with_set=False)
    checkpointer = kind(model)
    checkpointer.complete = True
    with caplog.at_level(logging.INFO):
        rest = checkpointer.load(set_file, checkpointables=[])
    assert rest["iteration"] == 7
    assert "trained with SET" in caplog.text and "20 tensors of SET" in caplog.text
    saved = weights_of(files["set"])
    for name, value in model.state_dict().items():
        assert torch.equal(saved[name], value), name


@pytest.mark.parametrize("kind", KINDS)
def test_set_starts_from_a_plain_detectors_checkpoint(kind, files, caplog):
    model = scrambled()
    blocks = {n: v.clone() for n, v in model.smoothing.state_dict().items()}
    with caplog.at_level(logging.INFO):
        kind(model).load(files["plain"], checkpointables=[])
    assert "begin anew" in caplog.text
    for name, value in weights_of(files["plain"]).items():
        assert torch.equal(model.detector.state_dict()[name], value), name
    assert all(torch.equal(model.smoothing.state_dict()[n], v) for n, v in blocks.items())


def test_set_reads_its_own(set_file, files):
    model = scrambled()
    checkpointer = StrictCheckpointer(model)
    checkpointer.complete = True
    checkpointer.load(set_file, checkpointables=[])
    for name, value in weights_of(files["set"]).items():
        assert torch.equal(model.state_dict()[name], value), name


def test_evaluation_under_set_does_without_the_smoothing_but_not_without_the_rest(files, tmp_path):
    model = build("fcos", "MODEL.DEVICE", "meta")
    check_fits(model, files["plain"], complete=True)
    check_fits(model, files["set"], complete=True)
    weights = weights_of(files["plain"])
    weights.pop("head.cls_score.weight")
    torch.save({"model": weights}, tmp_path / "part.pth")
    with pytest.raises(UserError, match=r"lacks 1 tensors.*head\.cls_score\.weight"):
        check_fits(model, str(tmp_path / "part.pth"), complete=True)


def test_torchvisions_weights_reach_the_detector_within_set(tmp_path):
    resnet = models.resnet18()
    torch.save(resnet.state_dict(), tmp_path / "resnet18.pth")
    model = build(
        "fcos",
        *("MODEL.RESNETS.DEPTH", 18, "MODEL.RESNETS.RES2_OUT_CHANNELS", 64),
        *("MODEL.RESNETS.STEM_OUT_CHANNELS", 64, "MODEL.RESNETS.WIDTH_PER_GROUP", 64),
    )
    StrictCheckpointer(model).load(str(tmp_path / "resnet18.pth"))
    bottom_up = model.detector.backbone.bottom_up
    assert torch.equal(bottom_up.stem.conv1.weight, resnet.conv1.weight)
    assert torch.equal(bottom_up.res5[1].conv2.weight, resnet.layer4[1].conv2.weight)


def test_strip_writes_the_detector_alone(set_file, files, tmp_path, capsys):
    out = tmp_path / "new" / "detector.pth"
    assert main(["strip", set_file, str(out)]) == 0
    assert "20 tensors of SET" in capsys.readouterr().out
    content = torch.load(out, weights_only=True)
    assert list(content) == ["model"]
    assert content["model"].keys() == build("fcos", with_set=False).state_dict().keys()
    model = scrambled(with_set=False)
    checkpointer = StrictCheckpointer(model)
    checkpointer.complete = True
    checkpointer.load(str(out))
    saved = weights_of(files["set"])
    for name, value in model.state_dict().items():
        assert torch.equal(saved[name], value), name


@pytest.mark.parametrize(
    ("source", "words"),
    [("plain", "not trained with SET"), ("none", "no such file"), ("broken", "cannot be read")],
)
def test_strip_refuses_what_it_cannot_strip(source, words, files, tmp_path, capsys):
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"PK not a checkpoint")
    files |= {"none": str(tmp_path / "none.pth"), "broken": str(broken)}
    assert main(["strip", files[source], str(tmp_path / "out.pth")]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out.pth").exists()


def test_strip_overwrites_only_when_told(files, capsys):
    assert main(["strip", files["set"], files["plain"]]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["strip", files["set"], files["plain"], "--overwrite"]) == 0
