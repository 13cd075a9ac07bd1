"""Nodes of a config: d2freq's, another extension's of the same name, and none at all."""

import logging

import pytest
from detectron2.config import CfgNode, get_cfg
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, META_ARCH_REGISTRY

import d2freq
from d2freq.config import own_nodes
from d2freq.errors import UserError
from d2freq.utils.own_keys import own_keys

CALL = r"d2freq\.add_d2freq_config\(cfg\) before cfg\.merge_from_file"
IMAGES = ShapeSpec(channels=3)
# each reads another node first
PARTS = [
    (BACKBONE_REGISTRY, "build_d2freq_resnet_fpn_backbone"),
    *[(BACKBONE_REGISTRY, f"build_{below}_{neck}_backbone") for below in ("resnet", "mobilenetv2")
      for neck in ("hsfpn", "fftfpn", "waveletfpn", "dct")],
    *[(META_ARCH_REGISTRY, name) for name, entry in META_ARCH_REGISTRY
      if entry.__module__.startswith("d2freq.") and entry.__name__ == name],
]  # fmt: skip

pytestmark = pytest.mark.usefixtures("loggers")  # they read warnings


@pytest.mark.parametrize(("registry", "name"), PARTS)
@pytest.mark.parametrize("new_allowed", [False, True])
def test_without_d2freqs_keys_one_line_names_the_call(registry, name, new_allowed, tmp_path):
    cfg = get_cfg()
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.RESNETS.DEPTH, cfg.MODEL.RESNETS.RES2_OUT_CHANNELS = 18, 64
    if new_allowed:  # a file then brings a node with a few keys of it
        cfg.set_new_allowed(True)
        partial = {node.removeprefix("MODEL."): {} for node in own_nodes() if "MODEL." in node}
        partial["HSFPN"] = {"PRESET": "paper"}
        partial["SET"] = {"DETECTOR": "RetinaNet"}
        partial["FREQ_INPUT"] = {"GATE": {"DETECTOR": "SET"}}
        (tmp_path / "a.yaml").write_text(CfgNode({"MODEL": partial}).dump())
        cfg.merge_from_file(str(tmp_path / "a.yaml"))
    args = (cfg, IMAGES) if registry is BACKBONE_REGISTRY else (cfg,)
    with pytest.raises(UserError, match=CALL) as told:
        registry.get(name)(*args)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["NWDRPN", "RFLARPN", "MaxIoURPN"])
def test_assignments_name_it_too(name):
    from detectron2.modeling.proposal_generator import build_proposal_generator

    cfg = get_cfg()
    cfg.MODEL.PROPOSAL_GENERATOR.NAME = name
    with pytest.raises(UserError, match=CALL):
        build_proposal_generator(cfg, {"res4": ShapeSpec(channels=8, stride=16)})


def test_the_call_behind_the_file_completes_what_it_brought():
    cfg = get_cfg()
    cfg.MODEL.FREQ_INPUT = CfgNode({"GATE": {"ENABLED": True}})
    cfg.MODEL.SET = CfgNode({"DETECTOR": "RetinaNet"})
    d2freq.add_d2freq_config(cfg)
    d2freq.add_d2freq_config(cfg)
    keys = own_nodes()
    assert own_keys(cfg, "MODEL.SET", keys["MODEL.SET"]).DETECTOR == "RetinaNet"
    gate = own_keys(cfg, "MODEL.FREQ_INPUT", keys["MODEL.FREQ_INPUT"]).GATE
    assert gate.ENABLED and gate.NORM == "LN"
    assert not [name for name in cfg.MODEL if name.startswith("D2FREQ_")]


@pytest.mark.parametrize("node", ["MODEL.FCOS", "MODEL.EDSR", "INPUT.AUGMENT"])
def test_a_node_of_another_extension_stays_as_it_is(node, caplog):
    parent, name = node.split(".")
    cfg = get_cfg()
    cfg[parent][name] = CfgNode({"THEIRS": 1})
    with caplog.at_level(logging.WARNING):
        d2freq.add_d2freq_config(cfg)
        d2freq.add_d2freq_config(cfg)
    own = f"{parent}.D2FREQ_{name}"
    assert [m for m in caplog.messages if own in m and "THEIRS" in m] == caplog.messages[:1]
    assert len(caplog.messages) == 1
    assert cfg[parent][name] == {"THEIRS": 1}
    keys = own_nodes()[node]
    assert own_keys(cfg, node, keys) == keys
    again = get_cfg()  # what a run dumps is read again by the same pair of extensions
    again[parent][name] = CfgNode({"THEIRS": 2})
    d2freq.add_d2freq_config(again)
    again.merge_from_other_cfg(CfgNode.load_cfg(cfg.dump()))
    assert again[parent][name].THEIRS == 1


def test_a_node_that_another_extension_puts_in_its_place_is_told():
    cfg = get_cfg()
    d2freq.add_d2freq_config(cfg)
    cfg.MODEL.FCOS = CfgNode({"NUM_CLASSES": 80, "THRESH_WITH_CTR": False})
    cfg.MODEL.DEVICE = "cpu"
    with pytest.raises(UserError, match=r"THRESH_WITH_CTR in it: call d2freq.* behind theirs"):
        META_ARCH_REGISTRY.get("FCOS")(cfg)
    d2freq.add_d2freq_config(cfg)
    assert cfg.MODEL.D2FREQ_FCOS.NUM_CLASSES == 80


def test_another_extensions_keys_in_d2freqs_node_harm_nothing():
    cfg = get_cfg()
    d2freq.add_d2freq_config(cfg)
    cfg.MODEL.FCOS.THEIRS = 1
    d2freq.add_d2freq_config(cfg)
    assert own_keys(cfg, "MODEL.FCOS", own_nodes()["MODEL.FCOS"]) is cfg.MODEL.FCOS


def test_a_key_that_nearly_is_d2freqs_is_told_with_it(caplog):
    cfg = get_cfg()
    cfg.MODEL.HSFPN = CfgNode({"PRESETT": "released"})
    d2freq.add_d2freq_config(cfg)
    assert caplog.messages[0].endswith("are in MODEL.D2FREQ_HSFPN; did you mean PRESET?")


def test_a_frozen_config_is_not_changed():
    cfg = get_cfg()
    before = cfg.clone()
    cfg.freeze()
    with pytest.raises(UserError, match=r"is frozen and lacks D2FREQ: call .* before cfg\.freeze"):
        d2freq.add_d2freq_config(cfg)
    assert cfg == before
    d2freq.add_d2freq_config(before)
    before.freeze()
    d2freq.add_d2freq_config(before)  # which has them all
    del before.MODEL.HSFPN["PRESET"]
    with pytest.raises(UserError, match="frozen and lacks PRESET"):
        d2freq.add_d2freq_config(before)


@pytest.mark.parametrize("wrong", [CfgNode(), {"MODEL": {}}, None], ids=str)
def test_something_else_than_a_config_is_told(wrong):
    with pytest.raises(
        UserError, match=rf"get_cfg\(\) returns, and not this {type(wrong).__name__}"
    ):
        d2freq.add_d2freq_config(wrong)


def test_a_value_in_a_nodes_place_is_told():
    cfg = get_cfg()
    cfg.MODEL.SET = "yes"
    with pytest.raises(UserError, match=r"MODEL\.SET is 'yes' and not a node"):
        own_keys(cfg, "MODEL.SET", own_nodes()["MODEL.SET"])
