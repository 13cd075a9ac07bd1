"""TinyCOCOEvaluator on what is broken, empty, repeated or not there."""

import json
import math

import numpy as np
import pytest
import torch
from detectron2.structures import Boxes, Instances

from d2freq.errors import DatasetError, UserError
from d2freq.evaluation import DetectionError, TinyCOCOEvaluator
from d2freq.evaluation.coco.detections_file import read_detections

from .evaluator_cases import feed, make_truth, perfect


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
    with pytest.raises(UserError, match="bbox and segm"):
        TinyCOCOEvaluator(name, tasks=("bbox", "keypoints"))
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


def test_a_missing_file_is_named_with_the_cure(dataset, tmp_path):
    name = dataset(make_truth(np.random.default_rng(0)))
    (tmp_path / "truth0.json").unlink()
    with pytest.raises(DatasetError, match=r"truth0\.json not found\. Get it: "):
        TinyCOCOEvaluator(name, distributed=False)


def test_a_missing_published_data_set_names_its_guide(data_root):
    with pytest.raises(DatasetError, match=r"aitod_test_v1\.json not found.*datasets/README\.md"):
        TinyCOCOEvaluator("aitod_test", distributed=False)
