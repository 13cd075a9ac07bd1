"""benchmarks/unmixing_noise.py goes on where it stopped, and says what was not measured."""

import json
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]


@pytest.fixture
def noise(monkeypatch, tmp_path):
    """The script, with a results file of its own."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import unmixing_noise

    monkeypatch.setattr(unmixing_noise, "RESULTS", tmp_path / "results.json")
    monkeypatch.setenv("DETECTRON2_DATASETS", "")  # measure() sets it
    return unmixing_noise


def test_a_cell_is_measured_again_only_for_more_trajectories_or_by_force(noise):
    cells = {"EDSR | grid | 3": {"trajectories": 10}, "EDSR | 1 frame | 3": {"trajectories": 20}}
    words = ["measure", "--levels", "3", "--columns", "grid", "1 frame", "--trajectories"]

    def wanted(*more):
        return list(noise.missing(cells, "EDSR", noise.arguments([*words, *more])))

    assert wanted("10") == []
    assert wanted("20") == [(3.0, "grid")]
    assert wanted("10", "--force") == [(3.0, "grid"), (3.0, "1 frame")]


def test_the_table_has_a_dash_where_nothing_was_measured_and_the_bound_below(noise):
    content = {
        "methods": {"RDN": {"steps": 7}},
        "cells": {
            "RDN | grid | 3": {"CSO-mAP": 12.34, "trajectories": 10},
            "RDN | 5 frames | 3": {"confidence": 65.66, "intensity": 1.0, "trajectories": 5},
        },
    }
    limits = {name: {n: {"confidence": 9.87} for n in noise.LEVELS} for name in noise.FRAMES}
    lines = noise.table(content, limits)
    assert len(lines) == 4  # head, rule, one method, bound
    assert "| RDN | 7 | 5 and 10 |" in lines[2]
    assert lines[2].endswith("| - | - | 12.3 / - / 65.7 | - |")
    assert "9.9 / 9.9 / 9.9" in lines[3]


def test_it_trains_and_measures_once_and_goes_on(noise, monkeypatch, tmp_path):
    from d2freq.data.seqcsist import generate_seqcsist

    generate_seqcsist(tmp_path / "data" / "seqcsist", train=2, val=1, test=1, progress=False)
    words = ["measure", "--methods", "ESPCN", "perfect grid", "--levels", "3", "--steps", "2"]
    words += ["--trajectories", "1", "--columns", "grid", "--output", str(tmp_path)]
    noise.measure(noise.arguments(words))
    content = json.loads(noise.RESULTS.read_text())
    assert content["methods"]["ESPCN"]["steps"] == 2
    assert content["cells"]["perfect grid | grid | 3"]["AP25"] > 90
    trained = torch.load(tmp_path / "espcn.pth", weights_only=True)

    monkeypatch.setattr(noise, "train", lambda *_, **__: pytest.fail("trained again"))
    noise.measure(noise.arguments(words))  # nothing is left to do
    words[words.index("grid", words.index("--columns"))] = "1 frame"
    noise.measure(noise.arguments(words))  # from the weights that are there
    assert "ESPCN | 1 frame | 3" in json.loads(noise.RESULTS.read_text())["cells"]
    again = torch.load(tmp_path / "espcn.pth", weights_only=True)
    assert all(torch.equal(again[key], value) for key, value in trained.items())


def test_a_run_that_is_done_is_a_row_of_its_own(noise, monkeypatch, tmp_path):
    from d2freq.data.seqcsist import generate_seqcsist
    from d2freq.engine import load_yaml
    from d2freq.engine.config import as_config

    generate_seqcsist(tmp_path / "data" / "seqcsist", train=2, val=1, test=1, progress=False)
    cfg = load_yaml(
        str(ROOT / "configs/derefnet/espcn_seqcsist.yaml"),
        ["MODEL.DEVICE", "cpu", "DATASETS.TRAIN", "('seqcsist_train',)"],
    )
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text(cfg.dump())
    model = as_config(cfg).model("cpu")
    torch.save({"model": model.state_dict(), "iteration": 6}, run / "model_final.pth")
    # the run was trained on data sets that lie elsewhere
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path / "elsewhere"))
    generate_seqcsist(tmp_path / "data" / "seqcsist", train=2, val=1, test=1, progress=False)
    words = ["measure", "--methods", "mine", "--levels", "3", "--trajectories", "1"]
    words += ["--columns", "grid", "--output", str(tmp_path)]
    with pytest.raises(SystemExit):
        noise.arguments(words)  # no run of that name
    noise.measure(noise.arguments([*words, "--model", "mine", str(run)]))
    content = json.loads(noise.RESULTS.read_text())
    assert content["methods"]["mine"]["steps"] == 7
    limits = {name: {n: {"confidence": 9.87} for n in noise.LEVELS} for name in noise.FRAMES}
    assert any(line.startswith("| mine | 7 | 1 |") for line in noise.table(content, limits))


def test_a_grid_of_nothing_and_a_perfect_one_are_whole_controls(noise):
    scene = noise.Scene(1)
    frames = scene.frames(0.0, 0)
    for name in noise.CONTROLS:
        grids = noise.grids_of(name, None, scene, frames)
        assert grids.shape == (1, 16, 33, 33)
        found = noise.cell("1 frame", grids, frames, scene)
        assert found["confidence"] == 100  # on clean frames the decoder needs no grid


def test_every_method_has_its_config(noise):
    for name, config in noise.METHODS.items():
        file = ROOT / "configs" / "derefnet" / f"{config}_seqcsist.yaml"
        assert file.is_file(), name
