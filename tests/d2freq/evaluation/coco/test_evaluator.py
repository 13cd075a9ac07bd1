"""TinyCOCOEvaluator against pycocotools with the same parameters."""

import contextlib
import io
import json
import math

import numpy as np
import pytest
import torch
from detectron2.data import DatasetCatalog
from detectron2.structures import Boxes, Instances
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from d2freq.evaluation import TinyCOCOEvaluator, get_protocol
from d2freq.evaluation.coco.detections_file import read_detections
from d2freq.evaluation.coco.measure import check_truth, measure

from .evaluator_cases import feed, make_detections, make_truth, perfect


def reference(truth: dict, rows: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall of pycocotools with AI-TOD's parameters."""
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO()
        gt.dataset = json.loads(json.dumps(truth))
        gt.createIndex()
        evaluation = COCOeval(gt, gt.loadRes(json.loads(json.dumps(rows))), "bbox")
        evaluation.params.maxDets = [100, 300, 1500]
        evaluation.params.areaRng = [[0, 1e10], [0, 64], [64, 256], [256, 1024], [1024, 1e10]]
        evaluation.params.areaRngLbl = ["all", "vt", "t", "s", "m"]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"], evaluation.eval["recall"]


def test_evaluator_reports_and_saves(dataset, tmp_path):
    truth = make_truth(np.random.default_rng(3), crowds=False)
    evaluator = TinyCOCOEvaluator(dataset(truth), distributed=False, output_dir=str(tmp_path))
    feed(evaluator, perfect(truth), truth)
    box = evaluator.evaluate()["bbox"]
    assert box["AP"] == box["AP50"] == box["APvt"] == box["AR@1500"] == pytest.approx(100.0)
    assert list(box)[:7] == ["AP", "AP50", "AP75", "APvt", "APt", "APs", "APm"]
    assert all(isinstance(value, float) for value in box.values())
    assert math.isnan(box["AP-kind4"])  # a category without ground truth
    saved = json.loads((tmp_path / "tiny_results.json").read_text())
    assert saved["protocol"] == "aitod" and "AI-TOD" in saved["source"]
    assert saved["ground_truth"] == len(truth["annotations"]) == saved["detections"]
    assert saved["per_category"]["kind4"]["AP"] is None
    rows = json.loads((tmp_path / "coco_instances_results.json").read_text())
    key = lambda row: (row["image_id"], row["category_id"], row["bbox"])  # noqa: E731
    assert sorted(map(key, rows)) == sorted(map(key, perfect(truth)))


def without_olrp(row: dict) -> dict:
    """What pycocotools knows too."""
    assert "oLRP" in row
    return {key: value for key, value in row.items() if not key.startswith("oLRP")}


def test_every_published_number_equals_pycocotools(dataset, tmp_path):
    rng = np.random.default_rng(8)
    truth = make_truth(rng, images=3, boxes=150, categories=2)
    rows = make_detections(rng, truth, noise=700)
    for row in rows:  # eighths of a pixel stay what they are in float32
        row["bbox"] = (np.round(np.array(row["bbox"]) * 8) / 8).tolist()
    name = dataset(truth)
    evaluator = TinyCOCOEvaluator(name, distributed=False, output_dir=str(tmp_path))
    feed(evaluator, rows, truth)
    box = without_olrp(evaluator.evaluate()["bbox"])
    precision, recall = reference(truth, rows)

    def expected(kind):
        """All numbers of some categories; places are those of ``reference``'s parameters."""
        sizes, limits = ("vt", "t", "s", "m"), (100, 300, 1500)
        found, missed = precision[:, :, kind], recall[:, kind]
        numbers = {"AP": found[..., 0, -1], "AP50": found[0, ..., 0, -1]}
        numbers |= {"AP75": found[5, ..., 0, -1]}
        numbers |= {f"AP{size}": found[..., a, -1] for a, size in enumerate(sizes, 1)}
        numbers |= {f"AR@{limit}": missed[..., 0, m] for m, limit in enumerate(limits)}
        numbers |= {f"AR{size}": missed[..., a, -1] for a, size in enumerate(sizes, 1)}
        return {
            key: 100 * values[values > -1].mean() if (values > -1).any() else math.nan
            for key, values in numbers.items()
        }

    kinds = [category["name"] for category in truth["categories"]]
    each = {kind: expected([place]) for place, kind in enumerate(kinds)}
    overall = expected(slice(None)) | {f"AP-{kind}": row["AP"] for kind, row in each.items()}
    assert box == pytest.approx(overall, abs=1e-9, nan_ok=True)
    assert len(set(box.values())) == len(box)  # no number can stand in for another
    saved = json.loads((tmp_path / "tiny_results.json").read_text())["per_category"]
    assert list(saved) == kinds
    for kind, row in each.items():
        found = without_olrp(saved[kind])
        found = {key: math.nan if v is None else v for key, v in found.items()}
        assert found == pytest.approx(row, abs=1e-9, nan_ok=True), kind


def test_evaluator_equals_the_hosts_evaluator_on_common_keys(dataset):
    """AP, AP50 and AP75 do not depend on the area ranges: Detectron2 gives the same."""
    from detectron2.evaluation import COCOEvaluator

    rng = np.random.default_rng(5)
    truth = make_truth(rng)
    name, rows = dataset(truth), make_detections(rng, truth, noise=20)
    ours = TinyCOCOEvaluator(name, distributed=False)
    theirs = COCOEvaluator(name, ("bbox",), False, max_dets_per_image=1500, use_fast_impl=False)
    with contextlib.redirect_stdout(io.StringIO()):
        DatasetCatalog.get(name)
        for evaluator in (ours, theirs):
            evaluator.reset()
            feed(evaluator, rows, truth)
        expected, found = theirs.evaluate()["bbox"], ours.evaluate()["bbox"]
    for key in ("AP", "AP50", "AP75"):
        assert found[key] == pytest.approx(expected[key], abs=1e-9)


def test_sizes_are_those_of_the_corners_in_float64_and_of_the_file(dataset, tmp_path):
    """From 0.1 to 8.1 in float32 is 8.0000004 pixels, and 8 if subtracted in float32.

    cocoapi-aitod takes w * h of the boxes it is given. By a false alarm of 64.000003 square pixels
    APvt is 100, as it is larger than 64; by one of 64 it would be 50.
    """
    truth = {
        "images": [{"id": 7, "file_name": "1.png", "width": 256, "height": 256}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [50.0, 50.0, 6.0, 6.0], "iscrowd": 0}
        ],
        "categories": [{"id": 3, "name": "kind"}],
    }
    name = dataset(truth)
    evaluator = TinyCOCOEvaluator(name, distributed=False, output_dir=str(tmp_path))
    corners = torch.tensor([[0.1, 16.0, 8.1, 24.0], [50.0, 50.0, 56.0, 56.0]])
    found = Instances((256, 256), pred_boxes=Boxes(corners), scores=torch.tensor([0.9, 0.5]))
    found.pred_classes = torch.tensor([0, 0])
    evaluator.process([{"image_id": 7}], [{"instances": found}])
    box = evaluator.evaluate()["bbox"]
    x0, _, x1, _ = corners[0].tolist()
    written = read_detections(tmp_path / "coco_instances_results.json")
    assert written.xywh[0].tolist() == [x0, 16.0, x1 - x0, 8.0] and written.area[0] > 64
    assert (box["APvt"], box["AP"]) == (100.0, 50.0) and math.isnan(box["APt"])
    protocol = get_protocol("aitod")
    checked = check_truth(json.loads(json.dumps(truth)), protocol, "truth")
    again = measure(checked, written, protocol, name="truth").results
    assert again == pytest.approx(box, abs=0, nan_ok=True)
