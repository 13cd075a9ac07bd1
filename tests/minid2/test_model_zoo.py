"""Configs by name: the project's own, and those of folders that are named."""

import pytest

from minid2 import model_zoo


def test_names_of_the_project_and_of_other_folders(tmp_path, monkeypatch):
    cfg = model_zoo.get_config("_base_/faster_rcnn_R18_FPN.yaml")
    assert cfg.MODEL.RESNETS.DEPTH == 18
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "mine.yaml").write_text("SEED: 7\n")
    (tmp_path / "a" / "mine.py").write_text("model = {'depth': 5}\n")
    with pytest.raises(RuntimeError, match="a/mine.yaml is not available.*MINID2_CONFIGS"):
        model_zoo.get_config("a/mine.yaml")
    monkeypatch.setenv("MINID2_CONFIGS", str(tmp_path))
    assert model_zoo.get_config("a/mine.yaml").SEED == 7
    assert model_zoo.get_config("a/mine.py").model.depth == 5
    with pytest.raises(RuntimeError, match="weights of a/mine.yaml"):
        model_zoo.get_config("a/mine.yaml", trained=True)


def test_the_model_of_a_config():
    model = model_zoo.get("_base_/faster_rcnn_R18_FPN.yaml", device="cpu")
    assert model.device.type == "cpu" and model.training
