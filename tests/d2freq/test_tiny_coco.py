"""TinyCOCOEvaluator against pycocotools with the same parameters."""

import contextlib
import io
import json
import math

import numpy as np
import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data.datasets import register_coco_instances
from detectron2.structures import Boxes, Instances
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from d2freq.errors import DatasetError, UserError
from d2freq.evaluation import DetectionError, TinyCOCOEvaluator
from d2freq.evaluation.detections_file import read_detections


def make_truth(rng, images=6, boxes=25, categories=3, crowds=True) -> dict:
    """Random ground truth whose areas often lie exactly on 64, 256 and 1024."""
    annotations = []
    for image in range(1, images):  # the last image stays empty
        for _ in range(rng.integers(0, boxes)):
            w, h = rng.integers(2, 40, 2)
            if rng.random() < 0.4:
                w, h = [(8, 8), (4, 16), (16, 16), (8, 32), (32, 32), (16, 64)][rng.integers(6)]
            x, y = rng.integers(0, 160, 2)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image * 7,
                    "category_id": int(rng.integers(1, categories + 1)) * 3,
                    "bbox": [float(v) for v in (x, y, w, h)],
                    "area": float(w * h),
                    "iscrowd": int(crowds and rng.random() < 0.1),
                }
            )
    return {
        "images": [
            {"id": i * 7, "file_name": f"{i}.png", "width": 256, "height": 256}
            for i in range(1, images + 1)
        ],
        "annotations": annotations,
        "categories": [{"id": 3 * k, "name": f"kind{k}"} for k in range(1, categories + 2)],
    }


def make_detections(rng, truth: dict, noise=60) -> list[dict]:
    """Shaken copies of the ground truth, some with equal scores, and false alarms."""
    rows = []
    for annotation in truth["annotations"]:
        for _ in range(rng.integers(0, 3)):
            box = np.array(annotation["bbox"]) + rng.integers(-2, 3, 4)
            rows.append((annotation["image_id"], annotation["category_id"], box))
    kinds = [category["id"] for category in truth["categories"]]
    for image in truth["images"]:
        for _ in range(noise):
            box = np.concatenate([rng.uniform(0, 200, 2), rng.uniform(2, 40, 2)])
            rows.append((image["id"], int(rng.choice(kinds[:-1])), box))
    return [
        {
            "image_id": image,
            "category_id": kind,
            "bbox": np.maximum(box, [0, 0, 1, 1]).tolist(),
            "score": float(np.round(rng.random(), 2)),
        }
        for image, kind, box in rows
    ]


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


@pytest.fixture
def dataset(tmp_path):
    """Registers a COCO dictionary under a name of its own."""
    names = []

    def register(truth: dict) -> str:
        path = tmp_path / f"truth{len(names)}.json"
        path.write_text(json.dumps(truth))
        name = f"tiny_coco_test_{tmp_path.name}_{len(names)}"
        register_coco_instances(name, {}, str(path), str(tmp_path))
        names.append(name)
        return name

    yield register
    for name in names:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


def feed(evaluator, rows: list[dict], truth: dict) -> None:
    kinds = [category["id"] for category in truth["categories"]]
    for image in truth["images"]:
        own = [row for row in rows if row["image_id"] == image["id"]]
        boxes = torch.tensor([row["bbox"] for row in own]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        found = Instances((image["height"], image["width"]))
        found.pred_boxes = Boxes(boxes)
        found.scores = torch.tensor([row["score"] for row in own])
        classes = [kinds.index(row["category_id"]) for row in own]
        found.pred_classes = torch.tensor(classes, dtype=torch.int64)
        evaluator.process([{"image_id": image["id"]}], [{"instances": found}])


def perfect(truth: dict) -> list[dict]:
    keys = ("image_id", "category_id", "bbox")
    return [{**{key: a[key] for key in keys}, "score": 0.9} for a in truth["annotations"]]


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


def test_a_nan_score_of_a_model_is_dropped_counted_or_refused(dataset, tmp_path):
    truth = make_truth(np.random.default_rng(9), crowds=False)
    name, rows = dataset(truth), perfect(truth)
    broken = [{**rows[0], "score": float("nan")}, *rows[1:]]
    results = []
    for fed in (rows[1:], broken):
        evaluator = TinyCOCOEvaluator(name, distributed=False, output_dir=str(tmp_path))
        feed(evaluator, fed, truth)
        results.append(evaluator.evaluate()["bbox"])
    assert results[1] == pytest.approx(results[0], nan_ok=True)
    assert results[1]["AP"] < 100.0
    saved = json.loads((tmp_path / "tiny_results.json").read_text())
    assert saved["dropped_detections"] == {"score is NaN or infinite": 1}
    assert saved["detections"] == len(rows) - 1
    evaluator = TinyCOCOEvaluator(name, distributed=False, strict=True)
    feed(evaluator, broken, truth)
    with pytest.raises(DetectionError, match="1 x score is NaN"):
        evaluator.evaluate()


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


def test_no_detection_is_zero_and_no_ground_truth_is_nan(dataset):
    truth = make_truth(np.random.default_rng(4), crowds=False)
    evaluator = TinyCOCOEvaluator(dataset(truth), distributed=False)
    assert evaluator.evaluate()["bbox"]["AP"] == 0.0  # nothing processed at all
    feed(evaluator, [], truth)
    box = evaluator.evaluate()["bbox"]
    assert box["AP"] == box["AP50"] == box["AR@100"] == 0.0
    bare = {**truth, "annotations": []}
    evaluator = TinyCOCOEvaluator(dataset(bare), distributed=False)
    feed(evaluator, perfect(truth), truth)
    assert math.isnan(evaluator.evaluate()["bbox"]["AP"])


def test_a_data_set_without_annotations_gives_detections_and_no_ap(dataset, tmp_path):
    truth = make_truth(np.random.default_rng(4), crowds=False)
    name = dataset({key: truth[key] for key in ("images", "categories")})
    evaluator = TinyCOCOEvaluator(name, distributed=False, output_dir=str(tmp_path / "out"))
    rows = perfect(truth)
    feed(evaluator, [{**rows[0], "score": float("nan")}, *rows[1:]], truth)
    assert evaluator.evaluate() == {}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["coco_instances_results.json"]
    assert len(read_detections(tmp_path / "out" / "coco_instances_results.json")) == len(rows) - 1


def test_img_ids_select_a_part(dataset):
    truth = make_truth(np.random.default_rng(6), crowds=False)
    evaluator = TinyCOCOEvaluator(dataset(truth), distributed=False)
    feed(evaluator, [row for row in perfect(truth) if row["image_id"] == 7], truth)
    assert evaluator.evaluate()["bbox"]["AP"] < 100.0
    assert evaluator.evaluate(img_ids=[7])["bbox"]["AP"] == pytest.approx(100.0)


def test_an_image_that_a_padding_sampler_repeats_counts_once(dataset, tmp_path):
    truth = make_truth(np.random.default_rng(7), crowds=False)
    name, rows = dataset(truth), perfect(truth)
    evaluator = TinyCOCOEvaluator(name, distributed=False, output_dir=str(tmp_path))
    again = {**truth, "images": truth["images"][:2]}
    own = sum(row["image_id"] in (7, 14) for row in rows)
    feed(evaluator, rows, truth)
    feed(evaluator, rows, again)
    assert own and evaluator.evaluate()["bbox"]["AP"] == pytest.approx(100.0)
    saved = json.loads((tmp_path / "tiny_results.json").read_text())
    assert saved["detections"] == len(rows)
    repeated = {"on an image that was processed before": own}
    assert saved["dropped_detections"] == repeated
    feed(evaluator, perfect({**truth, "annotations": truth["annotations"][:1]}), again)
    evaluator._batches[0][2][0] = np.nan  # the score of a detection that was seen first
    evaluator.evaluate()
    saved = json.loads((tmp_path / "tiny_results.json").read_text())["dropped_detections"]
    assert saved == {
        "on an image that was processed before": own + 1,
        "score is NaN or infinite": 1,
    }


def test_evaluator_refuses_what_it_cannot_measure(dataset, tmp_path):
    truth = make_truth(np.random.default_rng(0))
    name = dataset(truth)
    with pytest.raises(UserError, match=r"no evaluation protocol 'aitood'.*aitod"):
        TinyCOCOEvaluator(name, protocol="aitood")
    with pytest.raises(UserError, match="boxes only"):
        TinyCOCOEvaluator(name, tasks=("segm",))
    evaluator = TinyCOCOEvaluator(name, distributed=False)
    with pytest.raises(UserError, match="no 'instances'"):
        evaluator.process([{"image_id": 7}], [{"proposals": None}])
    found = Instances((256, 256))
    found.pred_boxes, found.scores = Boxes(torch.rand(1, 4)), torch.ones(1)
    found.pred_classes = torch.tensor([9])
    evaluator.process([{"image_id": 7}], [{"instances": found}])
    with pytest.raises(DetectionError, match=r"class 9.* 4 classes .*NUM_CLASSES"):
        evaluator.evaluate()
    path = tmp_path / "truth0.json"
    path.write_text(path.read_text()[:-300])
    with pytest.raises(DatasetError, match=r"truth0\.json.*cut off"):
        TinyCOCOEvaluator(name, distributed=False, allow_cached_coco=False)
