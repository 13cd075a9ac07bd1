"""SET saves the detector's tensors by the plain names: any loader takes them, both ways."""

import copy
import logging
import pickle

import pytest
import torch
from detectron2.checkpoint import DetectionCheckpointer
from torch import nn

from d2freq.errors import UserError
from d2freq.modeling.set import SET

from .set_cases import build
from .toy import Toy

OWN = "set.smoothing."


@pytest.fixture(params=["fcos", "faster", "retinanet"])
def models(request):
    """A detector with SET and the same one without, of different weights."""
    model, plain = build(request.param), build(request.param, with_set=False)
    for value in plain.state_dict().values():
        value.add_(1)
    return model, plain


def former(model):
    """The state_dict as it was before SET kept the detector's names."""
    weights = {
        name.removeprefix("set.") if name.startswith(OWN) else f"detector.{name}": value.clone()
        for name, value in model.state_dict().items()
    }
    assert {name.split(".")[0] for name in weights} == {"detector", "smoothing"}
    return weights


def same(first, second):
    assert first.keys() == second.keys()
    return all(torch.equal(value, second[name]) for name, value in first.items())


def test_torch_alone_loads_the_detector_of_a_set_checkpoint(models, tmp_path):
    model, plain = models
    torch.save(model.state_dict(), tmp_path / "set.pth")
    found = plain.load_state_dict(torch.load(tmp_path / "set.pth", weights_only=True), strict=False)
    assert not found.missing_keys
    assert found.unexpected_keys and all(name.startswith(OWN) for name in found.unexpected_keys)
    assert same(plain.state_dict(), model.detector.state_dict())


def test_torch_alone_starts_set_from_a_plain_detector(models, caplog):
    model, plain = models
    own = {n: v.clone() for n, v in model.state_dict().items() if n.startswith(OWN)}
    given = plain.state_dict()
    names = list(given)
    with caplog.at_level(logging.INFO):
        assert not any(model.load_state_dict(given))  # strict: nothing missing, nothing surplus
    assert "begin anew" in caplog.text and list(given) == names
    assert same(model.detector.state_dict(), plain.state_dict())
    assert all(torch.equal(model.state_dict()[name], value) for name, value in own.items())


def test_detectron2s_checkpointer_takes_either_into_either(models, tmp_path):
    model, plain = models
    DetectionCheckpointer(model, str(tmp_path)).save("set")
    DetectionCheckpointer(plain, str(tmp_path)).save("plain")
    theirs = {name: value.clone() for name, value in plain.state_dict().items()}
    ours = {name: value.clone() for name, value in model.state_dict().items()}
    DetectionCheckpointer(plain).load(str(tmp_path / "set.pth"))
    assert all(torch.equal(ours[name], value) for name, value in plain.state_dict().items())
    DetectionCheckpointer(model).load(str(tmp_path / "plain.pth"))
    assert same(model.detector.state_dict(), theirs)
    DetectionCheckpointer(model).load(str(tmp_path / "set.pth"))
    assert same(model.state_dict(), ours)


def test_former_checkpoints_load(models):
    model, _ = models
    weights = former(model)
    other = copy.deepcopy(model)
    for value in other.state_dict().values():
        value.add_(1)
    assert not any(other.load_state_dict(weights))
    assert same(other.state_dict(), model.state_dict())
    del weights["detector.backbone.fpn_lateral3.weight"]
    missing, surplus = other.load_state_dict(weights | {"detector.odd": torch.ones(1)}, False)
    assert missing == ["backbone.fpn_lateral3.weight"] and surplus == ["odd"]
    with pytest.raises(RuntimeError, match=r"odd"):
        other.load_state_dict(weights | {"detector.odd": torch.ones(1)})


@pytest.mark.parametrize("wrap", ["module.", "_orig_mod."])
def test_within_a_wrapper_the_names_are_the_plain_ones_too(wrap):
    model = build("fcos")
    outer = nn.Module()
    outer.add_module(wrap.rstrip("."), model)
    plain = build("fcos", with_set=False).state_dict()
    weights = outer.state_dict()
    assert {wrap + name for name in plain} < weights.keys()
    assert {name for name in weights if OWN in name} == {
        name for name in weights if name.startswith(wrap + OWN)
    }
    assert not any(outer.load_state_dict(weights))
    weights.pop(wrap + "backbone.fpn_lateral3.weight")
    weights.pop(next(name for name in weights if name.startswith(wrap + OWN)))
    missing = outer.load_state_dict(weights, strict=False).missing_keys
    assert len(missing) == 2 and wrap + "backbone.fpn_lateral3.weight" in missing
    assert any(name.startswith(wrap + OWN) for name in missing)


def test_the_versions_of_modules_cross_too():
    """By them BatchNorm and its like read older checkpoints."""
    model, plain = build("fcos"), build("fcos", with_set=False)
    ours, theirs = model.state_dict()._metadata, plain.state_dict()._metadata
    assert {name: ours[name] for name in theirs if name} == {n: v for n, v in theirs.items() if n}


def test_copies_and_pickles_keep_the_names():
    model = build("fcos")
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert same(other.state_dict(), model.state_dict())
        assert not any(other.load_state_dict(model.detector.state_dict()))


def test_without_smoothing_a_set_checkpoint_is_a_plain_one():
    model = build("fcos", "MODEL.SET.SMOOTHING", False)
    assert same(model.state_dict(), model.detector.state_dict())
    assert not any(model.load_state_dict(model.detector.state_dict()))


@pytest.mark.parametrize("name", ["set", "detector"])
def test_a_detector_with_parts_of_sets_names_is_refused(name):
    detector = Toy()
    detector.add_module(name, nn.Linear(1, 1))
    with pytest.raises(UserError, match=f"part named '{name}'"):
        SET(detector)
