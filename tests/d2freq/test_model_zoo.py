"""Configs and models by name, as a user of Detectron2's model_zoo expects them."""

import pytest
import torch
from detectron2.config import CfgNode, LazyConfig
from omegaconf import DictConfig

from d2freq import model_zoo
from d2freq.errors import UserError

DEMO = "demo/faster_rcnn_R18_HSFPN_scenes"
HALVED = ["MODEL.RPN.POST_NMS_TOPK_TEST", "500"]


def test_a_config_is_what_detectron2_knows():
    yaml, lazy = model_zoo.get_config(DEMO, HALVED), model_zoo.get_config(DEMO + ".py")
    assert isinstance(yaml, CfgNode) and isinstance(lazy, DictConfig)
    assert yaml.MODEL.RPN.POST_NMS_TOPK_TEST == 500
    yaml.OUTPUT_DIR = "elsewhere"  # not frozen, and its own
    assert model_zoo.get_config(DEMO).OUTPUT_DIR != "elsewhere"


def test_lazy_bases_are_parts_to_build_on():
    model = model_zoo.get_config("_base_/faster_rcnn_R18_FPN.py", ["model.input_format=RGB"]).model
    assert model.input_format == "RGB" and "roi_heads" in model
    with_hsfpn = LazyConfig.load(model_zoo.get_config_file("_base_/hs_fpn.py"), "with_hsfpn")
    assert "HSFPN" in str(with_hsfpn(model, preset="released").backbone._target_)


def test_a_model_with_and_without_weights(tmp_path):
    model = model_zoo.get(DEMO)
    assert not model.training
    file = tmp_path / "model_final.pth"
    torch.save({"model": {name: value + 1 for name, value in model.state_dict().items()}}, file)
    loaded = model_zoo.get(DEMO, weights=str(file)).state_dict()
    assert all(torch.equal(loaded[n], value + 1) for n, value in model.state_dict().items())


def test_every_listed_name_has_a_file():
    assert DEMO in model_zoo.list_configs()
    with pytest.raises(UserError, match="did you mean demo/faster_rcnn_R18_HSFPN_scenes"):
        model_zoo.get("demo/faster_rcnn_R18_HSFPN_scene")
