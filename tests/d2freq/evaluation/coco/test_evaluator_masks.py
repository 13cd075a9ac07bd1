"""TinyCOCOEvaluator on masks: against pycocotools, what is written, what is refused."""

import contextlib
import dataclasses
import io
import json

import numpy as np
import pytest
import torch
from detectron2.structures import Boxes, Instances
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from d2freq.errors import DatasetError, UserError
from d2freq.evaluation import TinyCOCOEvaluator, get_protocol
from d2freq.evaluation.coco.detections_file import read_detections
from d2freq.evaluation.coco.masks import annotation_masks, encode, mask_areas, mask_boxes

KINDS = [2, 5]
SIDE = 60


def blob(rng, x: float, y: float, radius: float) -> list[float]:
    """A polygon of twelve corners about a point."""
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    reach = radius * rng.uniform(0.6, 1.0, 12)
    return np.stack([x + reach * np.cos(turn), y + reach * np.sin(turn)], 1).ravel().tolist()


def run_lengths(polygon: list[float]) -> dict:
    return coco_mask.merge(coco_mask.frPyObjects([polygon], SIDE, SIDE))


def make_case(seed: int) -> tuple[dict, list[list[tuple]]]:
    """Ground truth as polygons, text and lists of run lengths, crowds; and detections per image.

    A detection is its polygon, score and class: some near an object, some anywhere or empty.
    """
    rng = np.random.default_rng(seed)
    images = [dict(id=i, file_name=f"{i}.png", width=SIDE, height=SIDE) for i in (3, 4, 9)]
    annotations: list[dict] = []
    found: list[list[tuple]] = []
    for image in images:
        found.append([])
        for _ in range(rng.integers(0, 14)):
            x, y, radius = *rng.uniform(5, 50, 2), rng.uniform(1.5, 12)
            kind, polygon = int(rng.integers(2)), blob(rng, x, y, radius)
            mask = run_lengths(polygon)
            form, number = rng.integers(3), len(annotations) + 1
            shape: object = [polygon]
            if form == 1:
                shape = {"size": [SIDE, SIDE], "counts": mask["counts"].decode()}
            if form == 2:
                flat = np.flatnonzero(np.diff(np.pad(coco_mask.decode(mask).ravel("F"), 1)))
                ends = np.concatenate([[0], flat, [SIDE * SIDE]])
                shape = {"size": [SIDE, SIDE], "counts": np.diff(ends).tolist()}
            record = dict(id=number, image_id=image["id"], category_id=KINDS[kind])
            record |= dict(segmentation=shape, area=float(coco_mask.area(mask)))
            record |= dict(bbox=coco_mask.toBbox(mask).tolist(), iscrowd=int(rng.random() < 0.15))
            if min(record["bbox"][2:]) >= 1:
                annotations.append(record)
            for _ in range(rng.integers(0, 3)):
                near = blob(rng, *(x, y) + rng.normal(0, 1, 2), radius)
                found[-1].append((near, round(rng.random(), 1), kind))
        for radius in (0.2, 3.0, 9.0):
            anywhere = blob(rng, *rng.uniform(-5, 65, 2), radius)
            found[-1].append((anywhere, round(rng.random(), 1), int(rng.integers(2))))
    categories = [dict(id=kind, name=f"kind{kind}") for kind in KINDS]
    return dict(images=images, annotations=annotations, categories=categories), found


def feed(evaluator, truth: dict, found: list[list[tuple]]) -> list[dict]:
    """Give the detections to the evaluator; return them in COCO's result format."""
    rows = []
    for image, own in zip(truth["images"], found, strict=True):
        masks = [run_lengths(polygon) for polygon, _, _ in own]
        instances = Instances((SIDE, SIDE))
        boxes = np.array([coco_mask.toBbox(mask) for mask in masks])
        boxes[:, 2:] += boxes[:, :2]
        instances.pred_boxes = Boxes(torch.tensor(boxes, dtype=torch.float32))
        instances.scores = torch.tensor([score for _, score, _ in own])
        instances.pred_classes = torch.tensor([kind for *_, kind in own])
        pixels = np.stack([coco_mask.decode(mask) for mask in masks])
        instances.pred_masks = torch.tensor(pixels, dtype=torch.bool)
        evaluator.process([{"image_id": image["id"]}], [{"instances": instances}])
        for mask, (_, score, kind) in zip(masks, own, strict=True):
            rows.append(dict(image_id=image["id"], category_id=KINDS[kind], segmentation=mask))
            rows[-1]["score"] = float(np.float32(score))
    return rows


def reference(path: str, rows: list[dict], protocol) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall of pycocotools' segm."""
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO(path)
        evaluation = COCOeval(gt, gt.loadRes(rows), "segm")
        evaluation.params.maxDets = list(protocol.max_dets)
        evaluation.params.areaRng = [[area.low, area.high] for area in protocol.all_areas]
        evaluation.params.areaRngLbl = [area.label for area in protocol.all_areas]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"], evaluation.eval["recall"]


def mean(values: np.ndarray) -> float:
    return 100 * float(values[values > -1].mean()) if (values > -1).any() else float("nan")


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", ["aitod", "coco"])
def test_numbers_equal_pycocotools(dataset, tmp_path, seed, name):
    truth, found = make_case(seed)
    protocol = dataclasses.replace(get_protocol(name), max_dets=(1, 5, 10), ap_limit=None)
    evaluator = TinyCOCOEvaluator(dataset(truth), distributed=False, protocol=protocol)
    rows = feed(evaluator, truth, found)
    results = evaluator.evaluate()
    assert list(results) == ["bbox", "segm"] and results["bbox"] != results["segm"]
    precision, recall = reference(str(tmp_path / "truth0.json"), rows, protocol)
    labels = [area.label for area in protocol.areas]
    expected = {"AP": mean(precision[..., 0, -1])}
    expected |= {f"AP{round(50 + 5 * t)}": mean(precision[t, ..., 0, -1]) for t in (0, 5)}
    expected |= {f"AP{label}": mean(precision[..., a, -1]) for a, label in enumerate(labels, 1)}
    expected |= {f"AR@{m}": mean(recall[..., 0, i]) for i, m in enumerate(protocol.max_dets)}
    expected |= {f"AR{label}": mean(recall[..., a, -1]) for a, label in enumerate(labels, 1)}
    expected |= {f"AP-kind{k}": mean(precision[:, :, i, 0, -1]) for i, k in enumerate(KINDS)}
    found_too = {key: results["segm"][key] for key in expected}
    assert found_too == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_both_tables_are_written_and_the_detections_with_their_masks(dataset, tmp_path):
    truth, found = make_case(1)
    evaluator = TinyCOCOEvaluator(dataset(truth), distributed=False, output_dir=str(tmp_path))
    rows = feed(evaluator, truth, found)
    results = evaluator.evaluate()
    for task, file in (("bbox", "tiny_results.json"), ("segm", "tiny_results_segm.json")):
        saved = json.loads((tmp_path / file).read_text())
        assert saved[task]["AP"] == results[task]["AP"] and saved["protocol"] == "aitod"
    path = tmp_path / "coco_instances_results.json"
    saved = json.loads(path.read_text())
    for mine, row in zip(saved, rows, strict=True):
        counts = row["segmentation"]["counts"].decode()
        assert mine["segmentation"] == {"size": [SIDE, SIDE], "counts": counts}
    assert read_detections(path).masks is None
    shapes = read_detections(path, masks=True).masks
    assert list(shapes) == [row["segmentation"] for row in rows]
    evaluator.reset()
    feed(evaluator, truth, found)
    few = evaluator.evaluate(img_ids=[3])
    assert few["segm"]["AP"] != results["segm"]["AP"]


def test_a_perfect_model_has_all_masks(dataset):
    truth, _ = make_case(3)
    for annotation in truth["annotations"]:
        annotation["iscrowd"] = 0
    shapes = [a for a in truth["annotations"] if isinstance(a["segmentation"], list)]
    truth["annotations"] = shapes
    own = [[a for a in shapes if a["image_id"] == image["id"]] for image in truth["images"]]
    found = [[(a["segmentation"][0], 0.9, KINDS.index(a["category_id"])) for a in o] for o in own]
    assert all(found)
    evaluator = TinyCOCOEvaluator(dataset(truth), ("segm",), distributed=False)
    feed(evaluator, truth, found)
    results = evaluator.evaluate()
    assert list(results) == ["segm"]
    assert results["segm"]["AP"] == pytest.approx(100.0)


def test_what_cannot_be_measured_is_refused(dataset):
    truth, found = make_case(1)
    name = dataset(truth)
    bare = Instances((SIDE, SIDE), pred_boxes=Boxes(torch.zeros(0, 4)), scores=torch.zeros(0))
    bare.pred_classes = torch.zeros(0, dtype=torch.int64)
    evaluator = TinyCOCOEvaluator(name, ("bbox", "segm"), distributed=False)
    with pytest.raises(UserError, match=r"image 3: .*no masks.*MODEL\.MASK_ON True"):
        evaluator.process([{"image_id": 3}], [{"instances": bare}])
    evaluator = TinyCOCOEvaluator(name, distributed=False)
    evaluator.process([{"image_id": 3}], [{"instances": bare}])
    assert list(evaluator.evaluate()) == ["bbox"]

    def refused(change, message):
        truth, found = make_case(1)
        change(truth["annotations"][0])
        evaluator = TinyCOCOEvaluator(dataset(truth), distributed=False)
        feed(evaluator, truth, found)
        with pytest.raises(DatasetError, match=message):
            evaluator.evaluate()

    refused(lambda a: a.pop("segmentation"), r"truth1\.json: annotation 1 of image 3 has no segm")
    small = {"size": [5, 5], "counts": [25]}
    refused(
        lambda a: a.update(segmentation=small), "annotation 1 .*a mask of 5 x 5, its image is 60"
    )
    refused(lambda a: a.update(segmentation={"size": 5}), "annotation 1 .*an object without counts")


def test_any_number_of_masks_has_areas_and_boxes():
    """A protocol of 1500 detections an image has more than pycocotools counts at once."""
    pixels = np.random.default_rng(0).random((300, 5, 7)) < 0.5
    masks = encode(pixels)
    assert mask_areas(masks).tolist() == pixels.sum((1, 2)).tolist()
    assert mask_boxes(masks).shape == (300, 4)
    assert mask_areas(encode(pixels[:0])).shape == (0,)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            {"size": [SIDE, SIDE]},
            "gt: annotation 5 of image 3 has a segmentation that cannot be read",
        ),
        ({"size": [SIDE, SIDE], "counts": 7}, "segmentation that cannot be read"),
        (
            {"size": [4, 6], "counts": [24]},
            r"gt: annotation 5 of image 3 has a mask of \(4, 6\), its image \(60, 60\)",
        ),
    ],
)
def test_masks_that_are_none_are_named(shape, message):
    image = {"id": 3, "height": SIDE, "width": SIDE}
    data = {"images": [image], "annotations": [{"id": 5, "image_id": 3, "segmentation": shape}]}
    with pytest.raises(DatasetError, match=message):
        annotation_masks(data, np.array([0]), "gt")
