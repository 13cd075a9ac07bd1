"""Lazy configs: described calls, relative imports, overrides, saving."""

import pickle

import pytest
import torch
from omegaconf import DictConfig, ListConfig

from minid2.config import LazyCall, LazyConfig, instantiate

PAIR = "from torch.nn import Conv2d, ReLU\nfrom minid2.config import LazyCall as L\n"


def collect(**kwargs):
    return kwargs


@pytest.fixture
def write(tmp_path):
    def write(name: str, content: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(content)
        return str(path)

    return write


def test_a_described_call_can_be_edited_and_made():
    conv = LazyCall(torch.nn.Conv2d)(
        in_channels=3, out_channels="${.in_channels}", kernel_size=1, bias=False
    )
    conv.in_channels = 5
    layer = instantiate(conv)
    assert layer.weight.shape == (5, 5, 1, 1) and layer.bias is None
    assert instantiate(conv) is not layer  # nothing is remembered
    nested = LazyCall(collect)(layers=[LazyCall(torch.nn.ReLU)(), 1], plain={"a": [1, 2]})
    made = instantiate(nested)
    assert isinstance(made["layers"][0], torch.nn.ReLU) and made["layers"][1] == 1
    assert isinstance(made["layers"], ListConfig) and isinstance(made["plain"], DictConfig)
    assert isinstance(instantiate({"_target_": "torch.nn.ReLU"}), torch.nn.ReLU)
    assert instantiate(7) == 7 and instantiate({"a": 1}) == {"a": 1}


def test_bad_targets(caplog):
    with pytest.raises(TypeError, match="dotted path"):
        LazyCall(3)
    with pytest.raises(ImportError, match=r"'torch\.nn\.Nope'"):
        instantiate({"_target_": "torch.nn.Nope"})
    with pytest.raises(TypeError, match="not callable"):
        instantiate({"_target_": 3})
    with pytest.raises(TypeError, match="foo"):
        instantiate(LazyCall(torch.nn.ReLU)(foo=3))
    assert "torch.nn" in caplog.text and "['foo']" in caplog.text


def test_files_import_each_other_relatively_without_sharing_objects(write):
    write("base.py", PAIR + "model = L(Conv2d)(in_channels=1)\ntrain = dict(amp=dict(on=False))\n")
    write("a.py", "from .base import model, train\ntrain.amp.on = True\n")
    top = write(
        "sub/top.py",
        "from ..base import *\nfrom ..a import train as other\nmodel.in_channels = 9\n"
        "_hidden = {}\nnumber = 4\n",
    )
    cfg = LazyConfig.load(top)
    assert set(cfg) == {"model", "train", "other"}
    assert cfg.other.amp.on is True and cfg.train.amp.on is False
    assert cfg.model.in_channels == 9 and cfg.model._target_ is torch.nn.Conv2d
    assert LazyConfig.load(top, "number") == 4
    model, train = LazyConfig.load(top, ("model", "train"))
    assert isinstance(train, DictConfig) and model.in_channels == 9


def test_a_file_beside_a_config_is_loaded_by_its_name(write):
    write("sub/part.py", "a = {'b': 3}\n")
    text = "from minid2.config import LazyConfig\nx = LazyConfig.load_rel('part.py', 'a')\n"
    assert LazyConfig.load(write("sub/whole.py", text)).x.b == 3


def test_bad_files(write):
    with pytest.raises(ImportError, match=r"bad\.py: cannot import 'nope'.*nope\.py does not"):
        LazyConfig.load(write("bad.py", "from .nope import x\n"))
    write("x.py", "a = dict(b=3)\n")
    with pytest.raises(ImportError, match="cannot import name 'b'"):
        LazyConfig.load(write("bad.py", "from .x import a, b\n"))
    with pytest.raises(ImportError, match=r"bad\.py: relative import of a folder"):
        LazyConfig.load(write("bad.py", "from . import x\n"))
    with pytest.raises(KeyError, match="'model'"):
        LazyConfig.load(write("bad.py", "modle = {}\n"), "model")
    with pytest.raises(AssertionError, match=r"neither \.py nor \.yaml"):
        LazyConfig.load(write("bad.txt", ""))
    with pytest.raises(FileNotFoundError):
        LazyConfig.load("nowhere.py")


def test_what_is_saved_is_loaded_again(write, tmp_path):
    cfg = LazyConfig.load(
        write(
            "c.py",
            PAIR + "from minid2.structures import Boxes\n"
            "model = L(Conv2d)(in_channels=2, out_channels='${.in_channels}', kernel_size=1)\n"
            "other = L(dict.fromkeys)(iterable=[L(ReLU)()], kind=Boxes, size=(1, 2), text='é')\n",
        )
    )
    path = str(tmp_path / "out.yaml")
    LazyConfig.save(cfg, path)
    text = open(path).read()
    assert "_target_: torch.nn.Conv2d" in text and "name:detectron2.structures" in text
    assert "minid2" not in text and "${.in_channels}" in text
    again = LazyConfig.load(path)
    assert instantiate(again.model).weight.shape == (2, 2, 1, 1)
    assert again.other.kind is cfg.other.kind and again.other.text == "é"


def test_what_yaml_cannot_hold_is_pickled(write, tmp_path, caplog):
    cfg = LazyConfig.load(write("c.py", PAIR + "model = L(ReLU)(inplace=lambda: 5)\n"))
    path = str(tmp_path / "out.yaml")
    LazyConfig.save(cfg, path)
    assert "out.yaml.pkl" in caplog.text
    with open(path + ".pkl", "rb") as file:
        assert pickle.load(file).model.inplace() == 5


def test_overrides():
    def fresh():
        return DictConfig({"train": {"max_iter": 5, "amp": {"on": False}}, "n": None})

    cfg = fresh()
    overrides = ["train.amp.on=True", "n=[1,2]", "+new.deep='a,b'"]
    assert LazyConfig.apply_overrides(cfg, overrides) is cfg
    assert cfg.train.amp.on is True and cfg.n == [1, 2] and cfg.new.deep == "a,b"
    for override, error in [
        ("~train.amp", NotImplementedError),
        ("train.amp.on.x=3", KeyError),
        ("n=1,2", NotImplementedError),
    ]:
        with pytest.raises(error, match=override.split("=")[0]):
            LazyConfig.apply_overrides(fresh(), [override])
