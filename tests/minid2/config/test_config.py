"""YAML configs: bases, versions, errors, and `configurable`."""

import pickle

import pytest
import yaml

from minid2.config import CfgNode, configurable, get_cfg


@pytest.fixture
def write(tmp_path):
    def write(name: str, content: str) -> str:
        (tmp_path / name).write_text(content)
        return str(tmp_path / name)

    return write


def test_defaults_are_fresh_copies_that_survive_dump_and_pickle():
    cfg = get_cfg()
    cfg.MODEL.FPN.OUT_CHANNELS = 8
    cfg.MODEL.ROI_HEADS.IN_FEATURES.append("p2")
    assert get_cfg().MODEL.FPN.OUT_CHANNELS == 256
    assert get_cfg().MODEL.ROI_HEADS.IN_FEATURES == ["res4"]
    assert CfgNode.load_cfg(cfg.dump()).MODEL.FPN.OUT_CHANNELS == 8
    assert pickle.loads(pickle.dumps(cfg)) == cfg
    assert yaml.safe_load(cfg.dump())["SOLVER"]["STEPS"] == [30000]


def test_bases_are_relative_to_the_file_and_may_be_several(write):
    write("a.yaml", "VERSION: 2\nSEED: 1\nSOLVER: {BASE_LR: 0.5, MAX_ITER: 7}\n")
    write("b.yaml", "VERSION: 2\nSOLVER: {MAX_ITER: 8}\n")
    cfg = get_cfg()
    cfg.merge_from_file(write("c.yaml", "_BASE_: [a.yaml, b.yaml]\nSOLVER: {BASE_LR: 1e-2}\n"))
    assert (cfg.SEED, cfg.SOLVER.BASE_LR, cfg.SOLVER.MAX_ITER) == (1, 0.01, 8)


def test_unsafe_yaml_only_where_allowed(write):
    path = write("a.yaml", "VERSION: 2\nSEED: !!python/object/apply:int ['7']\n")
    cfg = get_cfg()
    with pytest.raises(yaml.constructor.ConstructorError):
        cfg.merge_from_file(path, allow_unsafe=False)
    cfg.merge_from_file(path)
    assert cfg.SEED == 7


@pytest.mark.parametrize(
    "content, error, message",
    [
        ("VERSION: 2\nSEED: 3.5\n", ValueError, "Type mismatch .* SEED"),
        ("VERSION: 1\n", NotImplementedError, "bad.yaml is of VERSION 1.*real"),
        ("MODEL: [\n", yaml.YAMLError, "bad.yaml"),
        ("MODEL: {RPN: {NMS_TRESH: 0.5}}\n", KeyError, "MODEL.RPN.NMS_TRESH"),
        ("_BASE_: nowhere.yaml\n", FileNotFoundError, "nowhere.yaml"),
    ],
)
def test_bad_files(write, content, error, message):
    with pytest.raises(error, match=message):
        get_cfg().merge_from_file(write("bad.yaml", content))


def test_bad_overrides_and_missing_file():
    cfg = get_cfg()
    with pytest.raises(AssertionError, match="MODEL.NOPE"):
        cfg.merge_from_list(["MODEL.NOPE", 1])
    with pytest.raises(AssertionError, match="'nowhere.yaml' does not exist"):
        cfg.merge_from_file("nowhere.yaml")


class Head:
    @configurable
    def __init__(self, channels, depth=2, *, norm=""):
        """Build it."""
        self.arguments = (channels, depth, norm)

    @classmethod
    def from_config(cls, cfg, depth=3):
        return {"channels": cfg.MODEL.FPN.OUT_CHANNELS, "depth": depth}


class NormedHead(Head):
    @classmethod
    def from_config(cls, cfg, depth=4):
        return {**super().from_config(cfg, depth), "norm": "GN"}


def test_configurable_classes():
    cfg = get_cfg()
    assert Head(1).arguments == (1, 2, "") and Head(channels=1, depth=5).arguments == (1, 5, "")
    assert Head(cfg).arguments == Head(cfg=cfg).arguments == (256, 3, "")
    assert Head(cfg, 7).arguments == Head(cfg, depth=7).arguments == (256, 7, "")
    assert Head(cfg, norm="BN").arguments == (256, 3, "BN")  # not known to from_config
    assert NormedHead(cfg).arguments == (256, 4, "GN")
    assert Head.__init__.__doc__ == "Build it."
    with pytest.raises(TypeError, match="nrom"):
        Head(cfg, nrom="BN")


def test_configurable_functions():
    @configurable(from_config=lambda cfg, extra=0: {"a": cfg.SEED, "b": extra})
    def build(a, b=2):
        return a, b

    cfg = get_cfg()
    assert build(5) == (5, 2) and build(cfg) == (-1, 0) and build(cfg, a=3) == (3, 0)
    assert build(cfg=cfg, extra=6) == (-1, 6) and build.__name__ == "build"


def test_configurable_in_empty_brackets_is_the_plain_decorator():
    class Neck:
        @configurable()
        def __init__(self, channels):
            self.channels = channels

        @classmethod
        def from_config(cls, cfg):
            return {"channels": cfg.MODEL.FPN.OUT_CHANNELS}

    assert Neck(3).channels == 3 and Neck(get_cfg()).channels == 256


def test_configurable_says_what_is_wrong_with_a_class():
    class Without:
        @configurable
        def __init__(self, depth=1): ...

    class NoClassmethod(Without):
        def from_config(self, cfg): ...

    class OtherName(Without):
        @classmethod
        def from_config(cls, config): ...

    with pytest.raises(AttributeError, match="Without: @configurable needs a 'from_config'"):
        Without(depth=2)
    with pytest.raises(TypeError, match="NoClassmethod.from_config has to be a classmethod"):
        NoClassmethod(depth=2)
    OtherName(depth=2)
    with pytest.raises(TypeError, match="first argument has to be called 'cfg'"):
        OtherName(get_cfg())
