"""Names in the host's registries that another extension has, too: before d2freq and behind it."""

import logging

import pytest
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, META_ARCH_REGISTRY
from fvcore.common.registry import Registry

from d2freq.engine import YamlConfig, load_yaml
from d2freq.modeling.hs_fpn.builders import build_mobilenetv2_hsfpn_backbone
from d2freq.modeling.registration import own_name, register, short_name
from d2freq.modeling.set import SET
from tests.process import output_of_python

pytestmark = pytest.mark.usefixtures("loggers")  # they read warnings


@pytest.fixture
def registries():
    """What a test registers is gone behind it."""
    before = [
        (registry, dict(registry._obj_map), dict(registry._lent))
        for registry in (BACKBONE_REGISTRY, META_ARCH_REGISTRY)
    ]
    yield
    for registry, names, lent in before:
        registry._obj_map.clear()
        registry._obj_map.update(names)
        registry._lent.clear()
        registry._lent.update(lent)


def rival(name: str):
    """A class of another extension with that name."""
    return type(name, (), {"__module__": "adet.modeling"})


@pytest.mark.parametrize("name", ["SET", "build_fcos_resnet_fpn_backbone", "EDSR"])
def test_who_registers_a_name_has_it_before_d2freq_and_behind(name, caplog):
    ours, theirs = type(name, (), {}), rival(name)
    for first in (ours, theirs):
        registry = Registry("TEST")
        with caplog.at_level(logging.WARNING):
            if first is theirs:
                registry.register(theirs)
            register(registry)(ours)
            if first is ours:
                registry.register()(theirs)  # as a decorator, in the rival's module
        assert registry.get(name) is theirs
        assert registry.get(own_name(name)) is ours
        assert caplog.messages == [
            f"registry TEST: {name} is that of adet.modeling; d2freq's is {own_name(name)}"
        ]
        caplog.clear()


def test_a_third_of_the_name_is_refused_as_ever():
    registry = Registry("TEST")
    register(registry)(type("ISTA", (), {}))
    registry.register(rival("ISTA"))
    with pytest.raises(AssertionError, match="already registered"):
        registry.register(rival("ISTA"))
    with pytest.raises(AssertionError, match="already registered"):
        registry.register(rival("D2FreqISTA"))  # which d2freq does not give away


def test_a_module_that_is_imported_anew_takes_the_place_of_its_former_self():
    registry = Registry("TEST")
    old, new = (type("ISTA", (), {}) for _ in range(2))
    register(registry)(old)
    register(registry)(new)
    assert registry.get("ISTA") is registry.get("D2FreqISTA") is new
    registry.register(theirs := rival("ISTA"))
    register(registry)(old)
    assert registry.get("ISTA") is theirs and registry.get("D2FreqISTA") is old


def test_everything_of_d2freq_has_a_name_of_its_own():
    for registry in (BACKBONE_REGISTRY, META_ARCH_REGISTRY):
        entries = dict(registry)
        ours = {n for n, e in entries.items() if e.__module__.startswith("d2freq.")}
        assert {own_name(name) for name in ours} <= ours
        for name in ours:
            assert entries[own_name(name)] is entries[name]


def test_a_rival_changes_no_model_of_d2freq(registries):
    """HS-FPN names the backbone below it, SET its detector: both find d2freq's own."""
    BACKBONE_REGISTRY.register(rival("build_mobilenetv2_backbone"))
    META_ARCH_REGISTRY.register(rival("SET"))
    META_ARCH_REGISTRY.register(rival("FCOS"))
    assert short_name(META_ARCH_REGISTRY, "D2FreqSET") == "SET"
    assert short_name(META_ARCH_REGISTRY, "SET") == ""
    keys = ["MODEL.DEVICE", "cpu", "MODEL.META_ARCHITECTURE", "D2FreqSET"]
    keys += ["MODEL.SET.DETECTOR", "D2FreqFCOS", "MODEL.FPN.OUT_CHANNELS", "32"]
    config = YamlConfig(load_yaml("configs/set/fcos_R18_FPN_SET_scenes.yaml", keys))
    config.cfg.MODEL.BACKBONE.NAME = "build_d2freq_mobilenetv2_fpn_backbone"
    config.check_parts()
    assert config.class_key == "MODEL.FCOS.NUM_CLASSES"
    assert isinstance(config.model(), SET)
    config.cfg.MODEL.FPN.OUT_CHANNELS = 32
    assert build_mobilenetv2_hsfpn_backbone(config.cfg, ShapeSpec(channels=3)).output_shape()


# Both orders of imports, with what AdelaiDet registers and the node that it has.
PROGRAM = """
import importlib, logging, os, sys

if os.environ.get("D2FREQ_HOST") != "detectron2":
    import minid2

    minid2.install_as_detectron2()
from detectron2.config import CfgNode, get_cfg
from detectron2.modeling import BACKBONE_REGISTRY, META_ARCH_REGISTRY

logging.basicConfig(stream=sys.stdout, format="%(message)s")


def import_rival():
    @BACKBONE_REGISTRY.register()
    def build_fcos_resnet_fpn_backbone(cfg, input_shape):
        return "theirs"

    @META_ARCH_REGISTRY.register()
    class FCOS:
        pass


def add_rival_config(cfg):
    cfg.MODEL.FCOS = CfgNode({"NUM_CLASSES": 80, "TOP_LEVELS": 2})


def use():
    import d2freq
    from d2freq.modeling.detectors.fcos import FCOS

    assert META_ARCH_REGISTRY.get("FCOS").__module__ == "__main__"
    assert META_ARCH_REGISTRY.get("D2FreqFCOS") is FCOS
    assert BACKBONE_REGISTRY.get("build_fcos_resnet_fpn_backbone")(None, None) == "theirs"
    cfg = get_cfg()
    add_rival_config(cfg)
    d2freq.add_d2freq_config(cfg)
    assert list(cfg.MODEL.FCOS) == ["NUM_CLASSES", "TOP_LEVELS"], cfg.MODEL.FCOS
    cfg.MODEL.D2FREQ_FCOS.NUM_CLASSES = 3
    cfg.MODEL.BACKBONE.NAME = "build_d2freq_fcos_resnet_fpn_backbone"
    cfg.MODEL.META_ARCHITECTURE, cfg.MODEL.DEVICE = "D2FreqFCOS", "cpu"
    cfg.MODEL.RESNETS.DEPTH, cfg.MODEL.RESNETS.RES2_OUT_CHANNELS = 18, 64
    cfg.MODEL.RESNETS.OUT_FEATURES = cfg.MODEL.FPN.IN_FEATURES = ["res3", "res4", "res5"]
    from detectron2.modeling import build_model

    assert build_model(cfg).num_classes == 3
    for name in [name for name in sys.modules if name.split(".")[0] == "d2freq"]:
        del sys.modules[name]  # as a notebook does, or an import that Ctrl-C has broken off
    import d2freq as again

    assert META_ARCH_REGISTRY.get("FCOS").__module__ == "__main__"
    assert again is not d2freq and META_ARCH_REGISTRY.get("D2FreqFCOS") is not FCOS
    assert type(build_model(cfg)) is META_ARCH_REGISTRY.get("D2FreqFCOS")


orders = [(import_rival, lambda: importlib.import_module("d2freq"))]
orders.append(orders[0][::-1])
for order in orders:
    sys.stdout.flush()
    child = os.fork()  # torch and the host are imported once for both orders
    if child == 0:
        try:
            for step in order:
                step()
            use()
            print("both work")
            sys.stdout.flush()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
"""


def test_an_extension_with_the_same_names_is_imported_first_or_second():
    lines = output_of_python("-c", PROGRAM).splitlines()
    told = [
        "registry BACKBONE: build_fcos_resnet_fpn_backbone is that of __main__; d2freq's is "
        "build_d2freq_fcos_resnet_fpn_backbone",
        "registry META_ARCH: FCOS is that of __main__; d2freq's is D2FreqFCOS",
        "MODEL.FCOS is another extension's, with TOP_LEVELS in it; d2freq's keys of that name are "
        "in MODEL.D2FREQ_FCOS",
    ]
    assert lines.count("both work") == 2, lines
    for line in told:
        assert lines.count(line) == 2, lines
