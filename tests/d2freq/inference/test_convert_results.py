"""Detections to other formats and back, and what nobody can write."""

import json

import numpy as np
import pytest

from d2freq.cli import main
from d2freq.errors import UserError
from d2freq.evaluation.results import read_results
from d2freq.inference.convert_results import FORMATS, convert_results


@pytest.fixture
def files(tmp_path):
    """Ground truth without annotations, and random detections on two of its three images."""
    images = [
        dict(id=n, file_name=f"sub {n}/ö{n}.jpg", width=120, height=80 + n) for n in (9, 4, 6)
    ]
    categories = [dict(id=k, name=f"class {k}") for k in (7, 3)]
    truth = tmp_path / "gt.json"
    truth.write_text(json.dumps(dict(images=images, annotations=[], categories=categories)))
    random = np.random.default_rng(0)
    entries = [
        dict(
            image_id=int(random.choice([4, 9])),
            category_id=int(random.choice([3, 7])),
            bbox=random.uniform(1, 40, 4).tolist(),
            score=float(random.uniform(0.1, 0.9)),
        )
        for _ in range(20)
    ]
    source = tmp_path / "found.json"
    source.write_text(json.dumps(entries))
    return source, truth


def table(found):
    rows = np.column_stack([found.image_id, found.category_id, found.xywh, found.score])
    return rows[np.lexsort(rows.T[:2][::-1])]


@pytest.mark.parametrize("form", ["yolo", "visdrone", "coco"])
def test_there_and_back(files, tmp_path, form):
    source, truth = files
    wish = read_results(source, truth)
    lines = convert_results(source, tmp_path / "out", ground_truth=truth, formats=[form])
    assert "20 detections on 2 images" in lines[0]
    back = read_results(tmp_path / "out" / ("" if form == "coco" else form), truth)
    one, other = (
        sorted(map(tuple, np.column_stack([f.image_id, f.category_id, f.xywh, f.score]).round(2)))
        for f in (wish, back)
    )
    assert np.allclose(one, other, atol=0.011)


def test_fiftyone_and_label_studio(files, tmp_path):
    source, truth = files
    convert_results(source, tmp_path, ground_truth=truth, formats=["fiftyone", "label-studio"])
    labels = json.loads((tmp_path / "fiftyone_labels.json").read_text())["labels"]
    assert set(labels) == {"sub 9/ö9", "sub 4/ö4", "sub 6/ö6"} and labels["sub 6/ö6"] == []
    sizes = {"sub 9/ö9": (120, 89), "sub 4/ö4": (120, 84)}
    wish = {(9, "sub 9/ö9"), (4, "sub 4/ö4")}
    for entry in json.loads(source.read_text()):
        name = next(name for number, name in wish if number == entry["image_id"])
        (found,) = (d for d in labels[name] if d["confidence"] == entry["score"])
        scale = np.array([*sizes[name], *sizes[name]])
        assert np.array(found["bounding_box"]) * scale == pytest.approx(entry["bbox"])
        assert found["label"] == f"class {entry['category_id']}"
    tasks = json.loads((tmp_path / "label_studio.json").read_text())
    assert len(tasks) == 3 and len(tasks[2]["predictions"][0]["result"]) == 0


def test_what_a_format_does_not_hold_is_said(files, tmp_path):
    source, truth = files
    entries = json.loads(source.read_text())
    entries[0]["bbox"] = [110.0, 3.0, 20.0, 4.0]
    for entry in entries:
        entry["segmentation"] = {"size": [2, 2], "counts": "04"}
    source.write_text(json.dumps(entries))
    *_, masks, border = convert_results(source, tmp_path, ground_truth=truth, formats=["yolo"])
    assert masks == "  20 masks left out: name a .json file to keep them"
    assert border == "  1 boxes over the border of their image, cut there by yolo"
    convert_results(source, tmp_path / "kept.json", ground_truth=truth)
    kept = json.loads((tmp_path / "kept.json").read_text())
    assert kept[0]["segmentation"] == entries[0]["segmentation"]


def test_by_command(files, tmp_path, capsys):
    source, truth = files
    words = ["convert", "results", str(source)]
    rest = ["--ground-truth", str(truth)]
    assert main([*words, str(tmp_path / "yolo"), *rest, "--format", "yolo,csv"]) == 0
    again = ["convert", "results", str(tmp_path / "yolo/yolo"), str(tmp_path / "back.json"), *rest]
    assert main(again) == 0
    assert len(json.loads((tmp_path / "back.json").read_text())) == 20
    capsys.readouterr()
    assert main([*words, str(tmp_path / "x"), *rest]) == 2
    assert "a folder; say --format, one or more of coco, csv" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "x"), *rest, "--format", "pictures"]) == 2
    assert "'pictures' is unknown" in capsys.readouterr().err


def test_refusals(files, tmp_path):
    source, truth = files
    data = json.loads(truth.read_text())
    names = [dict(data["images"][0], id=100 + n, file_name=f"a.{e}") for n, e in enumerate("xy")]
    truth.write_text(json.dumps({**data, "images": data["images"] + names}))
    with pytest.raises(UserError, match=r"a.y and a.x differ in their endings alone"):
        convert_results(source, tmp_path / "o", ground_truth=truth, formats=["fiftyone"])
    truth.write_text(json.dumps({**data, "images": data["images"][:1]}))
    with pytest.raises(UserError, match="the image id 4, which .*gt.json lacks"):
        convert_results(source, tmp_path / "o", ground_truth=truth, formats=["csv"])
    with pytest.raises(UserError, match="a file holds COCO's results alone"):
        convert_results(source, tmp_path / "o.json", ground_truth=truth, formats=["csv"])
    assert "report" not in FORMATS


@pytest.mark.parametrize("wrong", [{"score": float("nan")}, {"bbox": [1, 1, float("inf"), 1]}])
@pytest.mark.parametrize("output", ["out.json", "out"])
def test_numbers_that_no_format_holds_are_one_line(files, tmp_path, capsys, wrong, output):
    source, truth = files
    entries = json.loads(source.read_text())
    source.write_text(json.dumps([*entries, {**entries[0], **wrong}]))
    words = ["convert", "results", str(source), str(tmp_path / output)]
    words += [] if output.endswith(".json") else ["--format", "yolo"]
    assert main([*words, "--ground-truth", str(truth)]) == 2
    assert "detection 20 (from 0 on) has NaN or infinity" in capsys.readouterr().err
    assert not (tmp_path / output).exists()
