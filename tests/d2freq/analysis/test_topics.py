"""Each topic of d2freq analyze from config to PNG and JSON, and its errors in one line."""

import json

import numpy as np
import pytest
from PIL import Image

from d2freq.cli import main

FCOS = "configs/set/fcos_R18_FPN_kit_ais.yaml"
FCOS_SET = "configs/set/fcos_R18_FPN_SET_kit_ais.yaml"
FASTER = "configs/demo/faster_rcnn_R18_FPN_scenes.yaml"
SMALL = ["MODEL.FPN.OUT_CHANNELS", "32"]
R18 = (
    "MODEL.RESNETS.DEPTH 18 MODEL.RESNETS.RES2_OUT_CHANNELS 64 MODEL.FPN.OUT_CHANNELS 32 "
    "INPUT.MIN_SIZE_TEST 0"
).split()
HEAD = ("topic", "how", "models", "dataset", "protocol", "areas", "settings", "versions", "host")


def analyze(topic, config, name, output, *words, overrides=SMALL):
    common = ["--config-file", config, "--dataset", name, "--output", str(output)]
    return main(["analyze", topic, *words, *common, *overrides])


def check(output, topic):
    pixels = np.asarray(Image.open(output).convert("L"))
    assert pixels.shape[0] > 250 and pixels.std() > 10  # something is drawn
    record = json.loads(output.with_suffix(".json").read_text())
    assert record["topic"] == topic and set(HEAD) <= set(record)
    assert len(record["how"]) > 200 and record["models"][0]["config"]
    return record


@pytest.mark.parametrize(
    ("topic", "config", "words"),
    [
        ("occlusion", FASTER, ["--masks", "40-60", "--levels", "p2", "p3", "--count", "2"]),
        ("occlusion", FCOS_SET, ["--count", "1", "--calibrate", "1"]),
        ("spectrum", FCOS, ["--level", "p4", "--objects", "1", "0"]),
        ("spectrum", FASTER, ["--box", "10", "10", "30", "20", "--image-id", "3"]),
        ("pca", FASTER, ["--own-scale"]),
        ("saliency", FASTER, ["--count", "2", "--level", "p3"]),
        ("bands", FCOS_SET, ["--count", "2", "--seed", "5", "--zero-frequency"]),
    ],
)
def test_topics(tiny_data, tmp_path, topic, config, words):
    output = tmp_path / "new" / "figure.png"
    name = tiny_data(5 if config == FASTER else 1)
    assert analyze(topic, config, name, output, *words) == 0
    record = check(output, topic)
    assert record["dataset"] == name and record["models"][0]["overrides"] == SMALL


@pytest.mark.parametrize("topic", ["spectrum", "pca", "saliency"])
def test_two_models_side_by_side(tiny_data, tmp_path, topic):
    output = tmp_path / "pair.png"
    words = [
        "--other-config",
        FCOS_SET,
        "--label",
        "FCOS",
        "--other-label",
        "ours",
        "--image-id",
        "2",
    ]
    assert analyze(topic, FCOS, tiny_data(1), output, *words) == 0
    record = check(output, topic)
    assert [about["label"] for about in record["models"]] == ["FCOS", "ours"]
    entries = record.get("spectra") or record.get("maps") or record["saliency"]
    assert {entry["model"] for entry in entries} == {"FCOS", "ours"}


@pytest.mark.parametrize(
    ("config", "classes"),
    [
        ("configs/hs_fpn/retinanet_R50_FPN_aitod.yaml", 8),
        ("configs/hs_fpn/cascade_rcnn_R50_FPN_aitod.yaml", 8),
    ],
)
def test_saliency_of_other_detectors(tiny_data, tmp_path, config, classes):
    output = tmp_path / "s.png"
    words = ["--count", "1"]
    assert analyze("saliency", config, tiny_data(classes), output, *words, overrides=R18) == 0
    found = check(output, "saliency")["saliency"][0]
    assert found["mean_saliency"]["s"] > 0 and found["mean_saliency"]["vt"] is None


def test_lazy_config_measures_as_its_twin(tiny_data, tmp_path):
    import torch

    records = []
    for config in (FCOS_SET, FCOS_SET.replace(".yaml", ".py")):
        torch.manual_seed(0)
        output = tmp_path / "bands.png"
        words = ["--count", "1", "--levels", "p5"]
        assert analyze("bands", config, tiny_data(1), output, *words, overrides=[]) == 0
        records.append(check(output, "bands"))
    for key in ("settings", "areas", "bands", "dataset"):
        assert records[0][key] == records[1][key]
    assert records[0]["image_ids"] == records[1]["image_ids"]


def test_weights_are_read(tiny_data, tmp_path):
    import torch

    from d2freq.engine.build import config_model

    model = config_model(FCOS_SET, SMALL)
    path = tmp_path / "weights.pth"
    torch.save({"model": model.state_dict()}, path)
    outputs = [tmp_path / f"{n}.png" for n in (1, 2)]
    for output in outputs:
        words = ["--weights", str(path), "--count", "1", "--levels", "p5"]
        assert analyze("bands", FCOS_SET, tiny_data(1), output, *words) == 0
    first, second = (check(output, "bands") for output in outputs)
    assert first == second and first["models"][0]["weights"] == str(path)


@pytest.mark.parametrize(
    ("topic", "config", "words", "message"),
    [
        ("spectrum", FCOS, ["--level", "p9"], "--level p9: the backbone has the levels p2, p3"),
        ("spectrum", FCOS, ["--objects", "7"], "has 2 objects, counted from 0"),
        ("spectrum", FCOS, ["--image-id", "3"], "--objects : image 3 has 0 objects"),
        ("spectrum", FCOS, ["--box", "999", "0", "4", "4"], "outside of the image"),
        ("pca", FCOS, ["--image-id", "77"], "--image-id 77"),
        ("pca", FCOS, ["--other-weights", "x.pth"], "--other-weights needs --other-config"),
        ("bands", FCOS, [], "FCOS has no background smoothing"),
        ("bands", FCOS_SET, ["--bands", "low"], "LOW-HIGH"),
        ("saliency", FCOS, ["--recipe", "released"], "needs a SET model"),
        ("occlusion", FCOS, ["--masks", "60-40"], "LOW-HIGH"),
        ("occlusion", FCOS, ["--levels", "p1"], "--level p1"),
        ("occlusion", FCOS, ["--weights", "gone.pth"], "gone.pth: no such file"),
        ("occlusion", FCOS, ["--protocol", "nothing"], "nothing"),
    ],
)
def test_errors_are_one_line(tiny_data, tmp_path, capsys, topic, config, words, message):
    assert analyze(topic, config, tiny_data(1), tmp_path / "x.png", *words) == 2
    lines = capsys.readouterr().err.splitlines()
    assert message in lines[-1] and lines[-1].startswith("d2freq: ")


def test_unknown_data_set_and_a_wrong_suffix(tmp_path, capsys):
    assert analyze("pca", FCOS, "tiny_scenes_vall", tmp_path / "x.png") == 2
    assert "did you mean tiny_scenes_val" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        analyze("pca", FCOS, "tiny_scenes_val", tmp_path / "x.json")
    assert "does not end in .png" in capsys.readouterr().err


@pytest.mark.parametrize("topic", ["occlusion", "spectrum", "pca", "saliency", "bands"])
def test_help_says_how_it_measures(capsys, topic):
    with pytest.raises(SystemExit):
        main(["analyze", topic, "--help"])
    text = capsys.readouterr().out
    assert len(text) > 1000 and "--output FILE.png" in text
