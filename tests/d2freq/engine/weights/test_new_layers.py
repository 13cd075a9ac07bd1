"""Layers that start at random as expected take one sentence; weights that do not fit, a list."""

import logging

import pytest
import torch
from torchvision import models

from d2freq.engine import StrictCheckpointer
from d2freq.engine.build import config_model
from d2freq.utils.notices import BRIEF

PLAIN = "configs/demo/faster_rcnn_R18_FPN_scenes.yaml"
HSFPN = "configs/demo/faster_rcnn_R18_HSFPN_scenes.yaml"


@pytest.fixture
def load(tmp_path, caplog):
    """Loads weights into the model of a config; gives records that a terminal shows, and all."""

    def loading(config, weights):
        torch.save(weights, tmp_path / "weights.pth")
        model = config_model(config)
        caplog.clear()
        with caplog.at_level(logging.INFO):
            StrictCheckpointer(model).load(str(tmp_path / "weights.pth"))
        shown = [getattr(r, BRIEF, None) or r.getMessage() for r in caplog.records]
        return model, "\n".join(shown), caplog.text

    return loading


def test_weights_of_imagenet_leave_neck_and_heads_to_the_training(load):
    model, shown, log = load(PLAIN, models.resnet18().state_dict())
    tensors = model.state_dict()
    new = [name for name in tensors if "bottom_up" not in name]
    sentence = f"new layers of the neck and the heads start at random, {len(new)} of {len(tensors)}"
    assert shown.count(sentence) == 1 and "log.txt lists them" in shown
    assert "not found in the checkpoint" not in shown and "not used by the model" not in shown
    assert "not found in the checkpoint" in log and "roi_heads.box_predictor" in log
    assert "linear" in log and not [r for r in log.splitlines() if r.startswith("WARNING")]


def test_a_plain_detector_leaves_the_layers_of_hs_fpn(load):
    plain = config_model(PLAIN).state_dict()
    _, shown, log = load(HSFPN, {"model": plain})
    assert "new layers of the neck start at random" in shown and "heads" not in shown
    assert "fpn_hfp" in log and "not found in the checkpoint" not in shown


def test_a_whole_checkpoint_says_nothing_of_new_layers(load):
    _, shown, _ = load(PLAIN, {"model": config_model(PLAIN).state_dict()})
    assert "start at random" not in shown and "not found" not in shown


def test_a_detector_of_other_names_is_told_with_both_lists(load):
    plain = config_model(PLAIN).state_dict()
    renamed = {name.replace("roi_heads.", "roi_head."): value for name, value in plain.items()}
    _, shown, _ = load(PLAIN, {"model": renamed})
    assert "not found in the checkpoint" in shown and "are not used by the model" in shown
    assert "roi_head.box" in shown and "as is expected" not in shown


def test_a_file_of_which_nothing_fits_is_told_with_both_lists(load):
    _, shown, _ = load(PLAIN, {"model": {"linear.weight": torch.zeros(2, 3)}})
    assert "not found in the checkpoint" in shown and "as is expected" not in shown
