"""d2freq analyze gate on a classifier, as the paper's first heat maps are: over image folders."""

import json

import pytest
import torch

from d2freq.cli import main
from d2freq.engine import load_yaml
from d2freq.engine.build import config_model

CONFIG = "configs/frequency_input/classifier_R50_DCT24_imagenet.yaml"
GATED = (
    "MODEL.META_ARCHITECTURE Gated MODEL.FREQ_INPUT.GATE.DETECTOR ImageClassifier "
    "MODEL.FREQ_INPUT.GATE.ENABLED True MODEL.CLASSIFIER.NUM_CLASSES 3 "
    "INPUT.CLASSIFICATION.CROP 32 INPUT.CLASSIFICATION.RESIZE_TEST 40 "
    "MODEL.RESNETS.RES2_OUT_CHANNELS 32 MODEL.RESNETS.WIDTH_PER_GROUP 8"
).split()


@pytest.mark.usefixtures("colours")
def test_the_gate_of_a_classifier_is_averaged_over_image_folders(tmp_path):
    model = config_model(CONFIG, GATED)
    gate = model.backbone.stem.gate
    with torch.no_grad():
        gate.decision.weight.zero_()
        gate.decision.bias.view(24, 2)[:, 1] = torch.tensor([1.0, -1.0] * 12)
    torch.save({"model": model.state_dict()}, tmp_path / "gate.pth")
    words = ["--config-file", CONFIG, "--output", str(tmp_path / "gate.png"), "--top", "12"]
    words += ["--weights", str(tmp_path / "gate.pth")]
    assert main(["analyze", "gate", *words, *GATED]) == 0
    record = json.loads((tmp_path / "gate.json").read_text())
    assert record["images"] == 6 and record["channels_on"] == 12
    assert record["top"] == model.backbone.stem.transform.channels[::2]
    static = load_yaml(str(tmp_path / "gate.yaml"))
    assert static.MODEL.META_ARCHITECTURE == "ImageClassifier"


@pytest.mark.usefixtures("colours")
def test_topics_about_objects_refuse_image_folders(tmp_path, capsys):
    words = ["--config-file", CONFIG, "--output", str(tmp_path / "a.png"), *GATED[6:]]
    assert main(["analyze", "spectrum", *words]) == 2
    assert "imagenet_val has no annotations" in capsys.readouterr().err
