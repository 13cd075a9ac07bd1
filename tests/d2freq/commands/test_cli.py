"""The command line: what it writes, and one line with exit code 2 on bad input."""

import json

import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data.datasets import register_coco_instances

from d2freq.cli import main


@pytest.fixture
def scenes(tmp_path):
    """A registered data set of three scenes, made by the command itself."""
    folder, name = tmp_path / "scenes", f"cli_{tmp_path.name}"
    wish = ["--train", "1", "--val", "3", "--size", "96", "--workers", "1", "--seed", "3"]
    assert main(["generate", "scenes", "--output", str(folder), *wish]) == 0
    register_coco_instances(name, {}, str(folder / "annotations/val.json"), str(folder / "val"))
    yield name, folder
    DatasetCatalog.remove(name)
    MetadataCatalog.remove(name)


def test_generate_then_visualize(scenes, tmp_path):
    name, folder = scenes
    truth = json.loads((folder / "annotations/val.json").read_text())
    kept = ("image_id", "category_id", "bbox")  # no outline: a detection's mask is run lengths
    rows = [{key: each[key] for key in kept} | {"score": 0.9} for each in truth["annotations"]]
    predictions = tmp_path / "p.json"
    predictions.write_text(json.dumps(rows))
    options = ["--dataset", name, "--predictions", str(predictions), "--output"]
    assert main(["visualize", "detections", *options, str(tmp_path / "two"), "--count", "2"]) == 0
    assert len(list((tmp_path / "two").glob("*.png"))) == 2
    assert main(["visualize", "detections", *options, str(tmp_path / "all"), "--count", "0"]) == 0
    assert len(list((tmp_path / "all").glob("*.png"))) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        ('[{"image_id": 1,', "cut off"),
        ('[{"image_id": 1}]', "entry 0"),
        ('[{"image_id": 77, "category_id": 1, "bbox": [1, 1, 2, 2], "score": 0.9}]', "image_id 77"),
        (
            '[{"image_id": 1, "category_id": 9, "bbox": [1, 1, 2, 2], "score": 0.9}]',
            "category_id 9",
        ),
    ],
)
def test_bad_predictions_are_one_line_and_exit_code_2(scenes, tmp_path, capsys, content, message):
    name, _ = scenes
    predictions = tmp_path / "p.json"
    if content is not None:
        predictions.write_text(content)
    capsys.readouterr()
    arguments = ["--dataset", name, "--predictions", str(predictions), "--output", str(tmp_path)]
    assert main(["visualize", "detections", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and message in error and "p.json" in error


def test_losses(tmp_path, capsys):
    metrics, output = tmp_path / "metrics.json", tmp_path / "loss.png"
    assert main(["visualize", "losses", "--metrics", str(metrics), "--output", str(output)]) == 2
    assert "metrics.json" in capsys.readouterr().err
    metrics.write_text('{"iteration": 1, "total_loss": 2.0}\n')
    assert main(["visualize", "losses", "--metrics", str(metrics), "--output", str(output)]) == 0
    assert output.stat().st_size > 1000


def test_unknown_command_and_wrong_size(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["generate", "dreams"])
    assert stop.value.code == 2
    assert main(["generate", "scenes", "--output", str(tmp_path), "--size", "3"]) == 2
    assert "64 to 2048" in capsys.readouterr().err


def test_no_word_at_all_lists_the_commands(capsys):
    assert main([]) == 2
    said = capsys.readouterr().err
    assert "detect" in said and "search pictures, folders" in " ".join(said.split())


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["MODEL.META_ARCHITECTURE", "FCOSS"], "did you mean FCOS"),
        (["MODEL.META_ARCHITECTURE", "SET", "MODEL.SET.DETECTOR", "SETT"], "MODEL.SET.DETECTOR: "),
        (["MODEL.BACKBONE.NAME", "build_resnet_hsfpn_backbon"], "build_resnet_hsfpn_backbone"),
    ],
)
def test_a_mistyped_part_of_the_model_is_one_line_for_commands_that_do_not_train(
    words, near, capsys
):
    assert main(["cost", "--config-file", "demo/faster_rcnn_R18_FPN_scenes", *words]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("d2freq: MODEL.") and near in error
