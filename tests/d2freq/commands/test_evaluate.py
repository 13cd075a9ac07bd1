"""``d2freq evaluate``: the trainer's own numbers from files alone, and one line on bad input."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from detectron2.config import get_cfg
from detectron2.structures import Boxes, Instances

from d2freq.cli import main
from d2freq.config import add_d2freq_config
from d2freq.engine import Trainer
from d2freq.errors import UserError
from d2freq.evaluation import TinyCOCOEvaluator

from ..coco_cases import coco

KIT_AIS = Path(os.environ.get("DETECTRON2_DATASETS", "datasets")) / "kit-ais-half" / "val.json"


def made_up(truth: dict, seed: int) -> list[dict]:
    """What a model gives for each image: most objects shaken, some twice, and false alarms."""
    rng = np.random.default_rng(seed)
    place = {category["id"]: n for n, category in enumerate(truth["categories"])}
    outputs = []
    for image in truth["images"]:
        own = [a for a in truth["annotations"] if a["image_id"] == image["id"]]
        own = [a for a in own for _ in range(rng.integers(0, 3))]
        boxes = np.array([a["bbox"] for a in own]).reshape(-1, 4)
        boxes = boxes + rng.normal(0, 0.6, boxes.shape) * (boxes[:, [2, 3, 2, 3]] > 3)
        false = rng.uniform(2, 60, (20, 4))
        boxes = torch.from_numpy(np.concatenate([boxes, false])).float()
        found = Instances((image["height"], image["width"]))
        found.pred_boxes = Boxes(torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], dim=1))
        scores = rng.random(len(boxes)).round(2) * np.where(
            np.arange(len(boxes)) < len(own), 1, 0.7
        )
        found.scores = torch.from_numpy(scores).float()
        classes = [place[a["category_id"]] for a in own]
        found.pred_classes = torch.tensor(classes + rng.integers(0, len(place), 20).tolist())
        outputs.append({"instances": found})
    return outputs


def trained(name: str, truth: dict, folder: Path, outputs: list[dict], *options) -> dict:
    """What the evaluator of the trainer gives and writes."""
    cfg = get_cfg()
    add_d2freq_config(cfg)
    cfg.merge_from_list(list(options))
    evaluator = Trainer.build_evaluator(cfg, name, str(folder))
    evaluator.reset()
    for image, output in zip(truth["images"], outputs, strict=True):
        evaluator.process([{"image_id": image["id"]}], [output])
    return evaluator.evaluate()["bbox"]


def generated(folder: Path, seed: int = 0) -> Path:
    """Twelve images, three categories, crowds and an empty image."""
    rng = np.random.default_rng(seed)
    annotations: list[dict] = []
    for image in range(1, 12):
        for _ in range(rng.integers(5, 40)):
            box = [*rng.integers(0, 200, 2).tolist(), *rng.integers(3, 40, 2).tolist()]
            flat = {"image_id": image, "bbox": box, "category_id": int(rng.choice([2, 5, 7]))}
            annotations.append(flat | {"iscrowd": int(rng.random() < 0.1)})
    truth = coco(annotations, images=range(1, 13), kinds=(2, 5, 7, 9), size=(256, 256))
    path = folder / "truth.json"
    path.write_text(json.dumps(truth))
    return path


def saved(folder: Path) -> dict:
    return json.loads((folder / "tiny_results.json").read_text())


def assert_command_equals_trainer(file: Path, tmp_path: Path, dataset, caplog, capsys, seed: int):
    truth = json.loads(file.read_text())
    train, own = tmp_path / "train", tmp_path / "own"
    with caplog.at_level("INFO", logger="d2freq.evaluation.coco.evaluator"):
        results = trained(dataset(file), truth, train, made_up(truth, seed))
    rows = [line for line in caplog.text.splitlines() if line.startswith("|")]
    capsys.readouterr()
    predictions = str(train / "coco_instances_results.json")
    assert main(["evaluate", str(file), predictions, "--output", str(own)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in printed if line.startswith("|")] == rows and len(rows) >= 12
    one, other = saved(train), saved(own)
    assert {**one, "dataset": ""} == {**other, "dataset": ""}
    assert 1 < results["AP"] < 99 and one["bbox"]["AP"] == results["AP"]


def test_command_equals_the_trainers_own_table(tmp_path, dataset, caplog, capsys):
    assert_command_equals_trainer(generated(tmp_path), tmp_path, dataset, caplog, capsys, 1)


@pytest.mark.skipif(
    not KIT_AIS.is_file(),
    reason="needs KIT AIS at half resolution: DETECTRON2_DATASETS must name the folder that holds "
    "kit-ais-half/val.json",
)
def test_command_equals_the_trainers_own_table_on_kit_ais(tmp_path, dataset, caplog, capsys):
    assert_command_equals_trainer(KIT_AIS, tmp_path, dataset, caplog, capsys, 2)


def test_what_a_model_gets_wrong_is_dropped_from_the_file_too(tmp_path, dataset, capsys):
    file = generated(tmp_path)
    truth = json.loads(file.read_text())
    outputs = made_up(truth, 3)
    outputs[0]["instances"].scores[0] = float("nan")
    outputs[1]["instances"].pred_boxes.tensor[0, 2] = -99.0
    results = trained(dataset(file), truth, tmp_path / "train", outputs)
    predictions = tmp_path / "train" / "coco_instances_results.json"
    rows = json.loads(predictions.read_text(), parse_constant=pytest.fail)  # NaN is no JSON
    assert len(rows) == saved(tmp_path / "train")["detections"]
    dropped = saved(tmp_path / "train")["dropped_detections"]
    assert dropped == {"score is NaN or infinite": 1, "width or height is negative": 1}
    assert (
        main(["evaluate", str(file), str(predictions), "--strict", "--output", str(tmp_path)]) == 0
    )
    assert saved(tmp_path)["bbox"]["AP"] == results["AP"]
    predictions.write_text(json.dumps([*rows, {**rows[0], "score": float("nan")}]))
    assert main(["evaluate", str(file), str(predictions)]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(file), str(predictions), "--strict"]) == 2
    assert "1 x score is NaN" in capsys.readouterr().err


def test_no_detection_is_zero_and_no_ground_truth_is_null(tmp_path, caplog):
    file, none = generated(tmp_path), tmp_path / "none.json"
    none.write_text("[]")
    assert main(["evaluate", str(file), str(none), "--output", str(tmp_path)]) == 0
    assert saved(tmp_path)["bbox"]["AP"] == 0.0
    bare = {**json.loads(file.read_text()), "annotations": []}
    file.write_text(json.dumps(bare))
    assert main(["evaluate", str(file), str(none), "--output", str(tmp_path)]) == 0
    assert (
        saved(tmp_path)["bbox"]["AP"] is None
        and "no annotation that counts: AP is NaN" in caplog.text
    )


# --- tiles -----------------------------------------------------------------------------------


def cut(file: Path, folder: Path) -> Path:
    """Tiles of 160 pixels that overlap by 64, of a file of 256-pixel images; objects cut drop."""
    truth = json.loads(file.read_text())
    tiles: dict = {"images": [], "annotations": [], "categories": truth["categories"]}
    for image in truth["images"]:
        for corner in ((0, 0), (96, 0), (0, 96), (96, 96)):
            number = len(tiles["images"]) + 1
            where = {"image_id": image["id"], "file_name": image["file_name"], "scale": 1.0}
            where |= {"x": corner[0], "y": corner[1]}
            record = {"id": number, "file_name": f"t{number}.png", "width": 160, "height": 160}
            tiles["images"].append(record | {"tile": where})
            for own in truth["annotations"]:
                x, y, w, h = own["bbox"]
                x, y = x - corner[0], y - corner[1]
                inside = 0 <= x <= 160 - w and 0 <= y <= 160 - h
                if own["image_id"] == image["id"] and inside:
                    moved = {"id": len(tiles["annotations"]) + 1, "image_id": number}
                    tiles["annotations"].append({**own, **moved, "bbox": [x, y, w, h]})
    path = folder / "tiles.json"
    path.write_text(json.dumps(tiles))
    return path


@pytest.mark.parametrize("method", ["nms", "weighted"])
def test_command_equals_the_trainer_on_originals(tmp_path, dataset, method):
    file = generated(tmp_path)
    tiles = cut(file, tmp_path)
    name = dataset(tiles, originals_json=str(file))
    record = json.loads(tiles.read_text())
    keys = ("TEST.TINY.ORIGINALS", "TEST.TINY.MERGE", "TEST.TINY.MERGE_IOU")
    options = [word for pair in zip(keys, (True, method, 0.4), strict=True) for word in pair]
    results = trained(name, record, tmp_path / "train", made_up(record, 4), *options)
    command = ["evaluate", str(file), str(tmp_path / "train" / "coco_instances_results.json")]
    command += ["--tiles", str(tiles), "--merge", method, "--merge-iou", "0.4"]
    assert main([*command, "--output", str(tmp_path / "own")]) == 0
    own, train = saved(tmp_path / "own"), saved(tmp_path / "train")
    assert own["bbox"] == train["bbox"] and own["per_category"] == train["per_category"]
    assert own["images"] == 12 and train["bbox"]["AP"] == results["AP"]
    assert own["merged_tiles"]["detections_on_tiles"] > own["detections"]
    merged = [tmp_path / where / "coco_originals_results.json" for where in ("own", "train")]
    assert merged[0].read_bytes() == merged[1].read_bytes()
    assert main(["evaluate", str(file), str(merged[0]), "--output", str(tmp_path)]) == 0
    assert saved(tmp_path)["bbox"] == own["bbox"]
    assert main([*command, "--drop-seams", "--output", str(tmp_path / "seams")]) == 0
    seams = saved(tmp_path / "seams")["merged_tiles"]
    assert 0 < seams["seen_better_by_a_neighbour"] < seams["detections_on_tiles"]


def test_a_data_set_that_is_not_tiles_is_refused_with_the_cure(tmp_path, dataset):
    file = generated(tmp_path)
    with pytest.raises(UserError, match=r"no originals_json.*TEST\.TINY\.ORIGINALS False"):
        TinyCOCOEvaluator(dataset(file), originals=True)
    lost = dataset(file, originals_json=str(tmp_path / "lost.json"))
    with pytest.raises(UserError, match=r"lost\.json: no such file"):
        TinyCOCOEvaluator(lost, originals=True)
    name = dataset(file, originals_json=str(file))
    with pytest.raises(UserError, match=r"TEST\.TINY\.MERGE.*'softer'"):
        TinyCOCOEvaluator(name, originals=True, merge="softer")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--protocol", "aitood"], "did you mean aitod?"),
        (["--merge", "softer"], "one of nms, weighted, soft"),
        (["--merge-iou", "0.7"], "of --tiles TILES.json, which is missing"),
        (["--tiles", "TRUTH"], "has tile None"),
        (["--tiles", "missing.json"], "missing.json"),
    ],
)
def test_bad_options_are_one_line_and_exit_code_2(tmp_path, capsys, options, message):
    file, none = generated(tmp_path), tmp_path / "none.json"
    none.write_text("[]")
    options = [option.replace("TRUTH", str(file)) for option in options]
    assert main(["evaluate", str(file), str(none), *options]) == 2
    error = capsys.readouterr().err
    assert message in error and error.strip().count("\n") == 0


def test_files_that_do_not_belong_together_are_one_line_and_exit_code_2(tmp_path, capsys):
    file, rows = generated(tmp_path), tmp_path / "rows.json"
    row = {"image_id": 77, "category_id": 2, "bbox": [1, 2, 3, 4], "score": 0.5}
    for broken, message in ((row, "77"), ({**row, "image_id": 1, "category_id": 3}, "category")):
        rows.write_text(json.dumps([broken]))
        assert main(["evaluate", str(file), str(rows)]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
        assert "rows.json" in error and "truth.json" in error
    assert main(["evaluate", str(tmp_path / "no.json"), str(rows)]) == 2
    assert "no.json" in capsys.readouterr().err
