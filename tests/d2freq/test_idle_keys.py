"""Keys that another trainer than d2freq's overlooks are told once, where a model is built."""

import logging

import pytest
from detectron2.config import get_cfg
from detectron2.modeling import build_model

import d2freq
from d2freq import idle_keys as module
from d2freq.engine import YamlConfig
from d2freq.idle_keys import idle_keys, keys_are_read

pytestmark = pytest.mark.usefixtures("loggers")  # they read warnings


def shrink(cfg):
    """Detectron2's RetinaNet, as small as it gets."""
    cfg.MODEL.DEVICE, cfg.MODEL.META_ARCHITECTURE = "cpu", "RetinaNet"
    cfg.MODEL.BACKBONE.NAME = "build_retinanet_resnet_fpn_backbone"
    cfg.MODEL.RESNETS.DEPTH, cfg.MODEL.RESNETS.RES2_OUT_CHANNELS = 18, 64
    cfg.MODEL.RESNETS.OUT_FEATURES = cfg.MODEL.FPN.IN_FEATURES = ["res3", "res4", "res5"]
    cfg.MODEL.FPN.OUT_CHANNELS, cfg.MODEL.RETINANET.NUM_CLASSES = 16, 1


@pytest.fixture
def small(monkeypatch):
    """A config of a small model without a part of d2freq, and with two of its trainer's keys."""
    monkeypatch.setattr(module, "_told", set())
    cfg = get_cfg()
    d2freq.add_d2freq_config(cfg)
    shrink(cfg)
    cfg.D2FREQ.OPTIMIZER, cfg.D2FREQ.EMA.ENABLED = "adamw", True
    return cfg


def test_detectron2s_build_model_tells_them_once(small, caplog):
    with caplog.at_level(logging.WARNING, logger="d2freq"):
        build_model(small)
        build_model(small)
    (line,) = caplog.messages
    assert "D2FREQ.OPTIMIZER 'adamw', D2FREQ.EMA.ENABLED True. Another trainer" in line
    small.D2FREQ.ACCUMULATE = 2
    with caplog.at_level(logging.WARNING, logger="d2freq"):
        build_model(small)
    assert "D2FREQ.ACCUMULATE 2" in caplog.messages[-1]


def test_where_they_are_read_nothing_is_told(small, caplog):
    with caplog.at_level(logging.WARNING, logger="d2freq"):
        YamlConfig(small).model()
        with keys_are_read():
            build_model(small)
        plain = get_cfg()  # without d2freq's keys
        shrink(plain)
        build_model(plain)
    assert caplog.messages == []


def test_each_kind_of_key_that_is_set(small):
    small.D2FREQ.OPTIMIZER, small.D2FREQ.EMA.ENABLED = "sgd", False
    assert idle_keys(small) == []
    small.D2FREQ.DATASETS = [["mine", "a.json", "images"]]
    small.INPUT.AUGMENT.MOSAIC = 0.5
    small.TEST.TINY.PROTOCOL = "visdrone"
    small.DATALOADER.BAD_IMAGES = "skip"
    small.MODEL.ROI_BOX_HEAD.CLS_LOSS = "focal"
    small.MODEL.WEIGHTS = "/data/resnet50-0676ba61.pth"
    small.MODEL.HSFPN.PRESET = "released"  # the model's own: read wherever there is a HS-FPN
    assert [entry.split()[0] for entry in idle_keys(small)] == [
        "D2FREQ.DATASETS",
        "INPUT.AUGMENT.MOSAIC",
        "TEST.TINY.PROTOCOL",
        "DATALOADER.BAD_IMAGES",
        "MODEL.ROI_BOX_HEAD.CLS_LOSS",
        "MODEL.WEIGHTS",
    ]
    small.MODEL.ROI_HEADS.NAME = "D2FreqROIHeads"  # which reads the loss
    small.MODEL.WEIGHTS = "/data/model_final.pth"
    assert len(idle_keys(small)) == 4


def test_what_a_pipeline_writes_by_hand_breaks_no_build(small, caplog):
    small.D2FREQ.OPTIMIZER, small.D2FREQ.EMA.ENABLED = "sgd", False
    small.D2FREQ.FREEZE, small.INPUT.AUGMENT.OBJECT_CROP_SIZE = (), (256, 256)  # lists by default
    small.MODEL.WEIGHTS = small.TEST.TINY = None
    assert idle_keys(small) == []
    small.D2FREQ.EMA = True
    with caplog.at_level(logging.WARNING, logger="d2freq"):
        build_model(small)
    assert "alone: D2FREQ.EMA True. Another" in caplog.text
