"""Evaluation: the loop, COCO's numbers against pycocotools, and the reports."""

import contextlib
import io
import json
import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pycocotools import mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from minid2.data import DatasetCatalog, MetadataCatalog
from minid2.evaluation import (
    COCOEvaluator,
    DatasetEvaluator,
    DatasetEvaluators,
    inference_on_dataset,
    print_csv_format,
    verify_results,
)
from minid2.evaluation.coco_evaluation import instances_to_coco_json
from minid2.evaluation.testing import flatten_results_dict
from minid2.structures import Boxes, BoxMode, Instances

CATEGORIES = {3: "ship", 7: "vehicle", 8: "person"}


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Six images with crowds, an empty one, and near-miss detections with equal scores."""
    rng = np.random.default_rng(0)
    images = [{"id": i, "height": 200, "width": 200} for i in range(1, 7)]
    annotations, outputs = [], []
    for image in images:
        count = 0 if image["id"] == 4 else 25
        xy, wh = rng.uniform(0, 150, (count, 2)), rng.uniform(2, 45, (count, 2))
        labels = rng.integers(0, 3, count)
        for box, label in zip(np.hstack([xy, wh]), labels, strict=True):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image["id"],
                    "category_id": list(CATEGORIES)[label],
                    "bbox": box.tolist(),
                    "area": float(box[2] * box[3]),
                    "iscrowd": int(rng.random() < 0.1),
                }
            )
        moved = np.hstack([xy, xy + wh]) + rng.normal(0, 1, (count, 4))
        noise = rng.uniform(0, 90, (40, 4))
        noise[:, 2:] += noise[:, :2] + 3
        outputs.append(
            make_instances(
                np.vstack([moved, noise]),
                rng.uniform(0, 1, count + 40).round(2),
                np.concatenate([labels, rng.integers(0, 3, 40)]),
            )
        )
    categories = [{"id": key, "name": name} for key, name in CATEGORIES.items()]
    content = {"info": {}, "images": images, "annotations": annotations, "categories": categories}
    path = tmp_path_factory.mktemp("coco") / "gt.json"
    path.write_text(json.dumps(content))
    return SimpleNamespace(
        path=path, content=content, name=register("scene", path), outputs=outputs
    )


def make_instances(boxes, scores, labels):
    return Instances(
        (200, 200),
        pred_boxes=Boxes(torch.as_tensor(boxes, dtype=torch.float32)),
        scores=torch.as_tensor(scores, dtype=torch.float32),
        pred_classes=torch.as_tensor(labels),
    )


def register(name, path, **extra):
    name = f"{name}_{path}"
    MetadataCatalog.get(name).set(
        json_file=str(path),
        thing_classes=list(CATEGORIES.values()),
        thing_dataset_id_to_contiguous_id={key: i for i, key in enumerate(CATEGORIES)},
        **extra,
    )
    return name


def run(evaluator, scene, outputs=None):
    evaluator.reset()
    outputs = scene.outputs if outputs is None else outputs
    for image, instances in zip(scene.content["images"], outputs, strict=True):
        evaluator.process([{"image_id": image["id"]}], [{"instances": instances}])
    return evaluator.evaluate()


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("max_dets", [None, 1500])
def test_numbers_are_those_of_pycocotools(scene, tmp_path, fast, max_dets):
    evaluator = COCOEvaluator(
        scene.name, max_dets_per_image=max_dets, use_fast_impl=fast, output_dir=str(tmp_path)
    )
    results = run(evaluator, scene)["bbox"]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(scene.path))
        oracle = COCOeval(
            truth, truth.loadRes(str(tmp_path / "coco_instances_results.json")), "bbox"
        )
        oracle.params.maxDets = [1, 10, max_dets or 100]
        oracle.evaluate()
        oracle.accumulate()
    precision = oracle.eval["precision"]

    def percent(values):
        return 100 * values[values > -1].mean() if (values > -1).any() else np.nan

    expected = {
        "AP": percent(precision[..., 0, -1]),
        "AP50": percent(precision[0, ..., 0, -1]),
        "AP75": percent(precision[5, ..., 0, -1]),
        "APs": percent(precision[..., 1, -1]),
        "APm": percent(precision[..., 2, -1]),
        "APl": percent(precision[..., 3, -1]),
        **{
            f"AP-{n}": percent(precision[:, :, k, 0, -1]) for k, n in enumerate(CATEGORIES.values())
        },
    }
    assert results == pytest.approx(expected, abs=1e-12, nan_ok=True)
    assert list(results) == list(expected)
    assert 10 < results["AP"] < 90 and np.isnan(results["APl"])
    saved = torch.load(tmp_path / "instances_predictions.pth", weights_only=True)
    assert [p["image_id"] for p in saved] == [1, 2, 3, 4, 5, 6]


def test_some_images_only_and_a_second_evaluation(scene):
    evaluator = COCOEvaluator(scene.name)
    first = run(evaluator, scene)
    some = evaluator.evaluate(img_ids=[2])["bbox"]
    assert some["AP"] != first["bbox"]["AP"] and some["AP"] > 0
    assert str(evaluator.evaluate()) == str(first)  # nothing was changed on the way


def test_no_detections_no_ground_truth_no_images(scene, tmp_path):
    evaluator = COCOEvaluator(scene.name)
    nothing = [make_instances(np.zeros((0, 4)), [], torch.zeros(0, dtype=torch.long))] * 6
    empty = run(evaluator, scene, nothing)["bbox"]
    assert list(empty) == ["AP", "AP50", "AP75", "APs", "APm", "APl"]
    assert all(np.isnan(value) for value in empty.values())
    evaluator.reset()
    assert evaluator.evaluate() == {}

    (tmp_path / "e.json").write_text(json.dumps({**scene.content, "annotations": []}))
    results = run(COCOEvaluator(register("e", tmp_path / "e.json")), scene)["bbox"]
    assert all(np.isnan(value) for value in results.values()) and len(results) == 9
    test_set = {k: v for k, v in scene.content.items() if k != "annotations"}
    (tmp_path / "t.json").write_text(json.dumps(test_set))
    assert run(COCOEvaluator(register("t", tmp_path / "t.json")), scene) == {}


def test_a_data_set_without_a_coco_file_gets_one(scene, tmp_path):
    def records():
        labels = {key: i for i, key in enumerate(CATEGORIES)}
        for image in scene.content["images"]:
            mine = [a for a in scene.content["annotations"] if a["image_id"] == image["id"]]
            annotations = [
                {**a, "category_id": labels[a["category_id"]], "bbox_mode": BoxMode.XYWH_ABS}
                for a in mine
            ]
            size = {"height": 200, "width": 200, "image_id": image["id"]}
            yield {"file_name": "", "annotations": annotations, **size}

    name = str(tmp_path)
    DatasetCatalog.register(name, lambda: list(records()))
    MetadataCatalog.get(name).thing_classes = list(CATEGORIES.values())
    evaluator = COCOEvaluator(name, output_dir=str(tmp_path))
    assert (tmp_path / MetadataCatalog.get(name).json_file).is_file()
    converted, direct = run(evaluator, scene)["bbox"], run(COCOEvaluator(scene.name), scene)["bbox"]
    assert converted == pytest.approx(direct, abs=0.5, nan_ok=True)  # the file rounds boxes


def test_what_it_cannot_do_is_an_error(scene):
    with pytest.raises(NotImplementedError, match="keypoints"):
        COCOEvaluator(scene.name, tasks=("bbox", "keypoints"))
    with pytest.raises(ValueError, match="json_file"):
        COCOEvaluator("a_data_set_without_a_file")
    wrong = [make_instances([[1, 1, 9, 9]], [0.5], [5])] * 6
    with pytest.raises(AssertionError, match=r"class=5.*3 classes"):
        run(COCOEvaluator(scene.name), scene, wrong)


class Count(DatasetEvaluator):
    def __init__(self, key="count"):
        self.key = key

    def reset(self):
        self.seen = 0

    def process(self, inputs, outputs):
        self.seen += len(inputs)

    def evaluate(self):
        return {self.key: self.seen}


def test_inference_loop(caplog):
    class Probe(torch.nn.Module):
        def forward(self, batch):
            assert not self.training and not torch.is_grad_enabled()
            return batch

    events = []
    names = ("on_start", "before_inference", "after_inference", "on_end")
    callbacks = {name: lambda name=name: events.append(name) for name in names}
    model = Probe().train()
    with caplog.at_level(logging.INFO):
        result = inference_on_dataset(model, [[1, 2], [3]], [Count(), Count("b")], callbacks)
    assert result == {"count": 3, "b": 3} and model.training
    assert events == ["on_start", *["before_inference", "after_inference"] * 2, "on_end"]
    assert "Start inference on 2 batches" in caplog.text and "devices took" in caplog.text
    assert inference_on_dataset(model, [[1]], None) == {}
    with pytest.raises(AssertionError, match="'count'"):
        inference_on_dataset(model, [], DatasetEvaluators([Count(), Count()]))


def test_progress_names_the_time_left(caplog, monkeypatch):
    clock = iter(range(0, 10**6, 1))
    monkeypatch.setattr("minid2.evaluation.evaluator.time.perf_counter", lambda: float(next(clock)))
    with caplog.at_level(logging.INFO):
        inference_on_dataset(lambda batch: batch, [[0]] * 12, None)
    # three clock readings a batch, and a line where at least five have passed since the last one
    assert "Inference done 8/12." in caplog.text and "ETA=0:00:12" in caplog.text


def test_csv_and_verification(caplog):
    results = {"bbox": {"AP": 25.91234, "AP50": float("nan"), "AP-ship": 3.0}, "speed": 0.5}
    with caplog.at_level(logging.INFO):
        print_csv_format(results)
    lines = [record.getMessage() for record in caplog.records]
    assert lines[:3] == [
        "copypaste: Task: bbox",
        "copypaste: AP,AP50",
        "copypaste: 25.9123,nan",
    ]
    assert flatten_results_dict(results)["bbox/AP-ship"] == 3.0

    def expect(*rows):
        return SimpleNamespace(TEST=SimpleNamespace(EXPECTED_RESULTS=list(rows)))

    assert verify_results(expect(), results)
    assert verify_results(expect(["bbox", "AP", 26, 0.1]), results)
    for row in (["bbox", "AP", 26, 0.05], ["bbox", "AP50", 1, 99], ["bbox", "APx", 1, 99]):
        with pytest.raises(SystemExit) as stop:
            verify_results(expect(row), results)
        assert stop.value.code == 1


def test_masks_become_run_lengths():
    found = make_instances(np.array([[1, 2, 4, 6.0]]), np.array([0.5]), np.array([2]))
    found.pred_masks = torch.zeros(1, 8, 8, dtype=torch.bool)
    found.pred_masks[0, 2:6, 1:4] = True
    (record,) = instances_to_coco_json(found, 7)
    assert (record["image_id"], record["category_id"], record["bbox"]) == (7, 2, [1, 2, 3, 4])
    assert isinstance(record["segmentation"]["counts"], str)
    pixels = mask.decode(record["segmentation"])
    assert np.array_equal(pixels.astype(bool), found.pred_masks[0].numpy())
