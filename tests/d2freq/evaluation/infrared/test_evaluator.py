"""The protocol irstd end to end: detectors of boxes and of masks, maps, files and a trainer."""

import json

import numpy as np
import pytest
import torch
from detectron2.config import get_cfg
from detectron2.structures import Boxes, Instances

from d2freq.cli import main
from d2freq.config import add_d2freq_config
from d2freq.engine import Trainer
from d2freq.errors import UserError
from d2freq.evaluation import DetectionError, InfraredEvaluator, TinyCOCOEvaluator
from d2freq.evaluation.infrared.counting import count_image, results_of
from d2freq.evaluation.infrared.maps import fill_boxes

SIZE = (40, 60)  # height, width
TARGETS = {1: [[10, 10, 4, 4], [30, 20, 5, 3]], 2: [[50, 30, 3, 3]], 3: []}
FOUND = {1: [[11, 10, 4, 4], [50, 5, 2, 2]], 2: [[50, 30, 3, 4]], 3: [[5, 5, 2, 2]]}
SCORES = {1: [0.9, 0.6], 2: [0.8], 3: [0.5]}  # 0.5 is not above 0.5


def content(**extra) -> dict:
    annotations = [
        {"id": 0, "image_id": image, "category_id": 1, "bbox": box, "iscrowd": 0, "area": 9}
        for image, boxes in TARGETS.items()
        for box in boxes
    ]
    for number, annotation in enumerate(annotations, start=1):
        x, y, width, height = annotation["bbox"]
        corners = [x, y, x + width, y, x + width, y + height, x, y + height]
        annotation |= {"id": number, "segmentation": [corners], **extra}
    return {
        "images": [
            {"id": i, "file_name": f"{i}.png", "height": SIZE[0], "width": SIZE[1]} for i in TARGETS
        ],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "target"}],
    }


def maps(boxes: dict) -> dict[int, np.ndarray]:
    return {i: fill_boxes(np.array(own, float).reshape(-1, 4), *SIZE) for i, own in boxes.items()}


def expected() -> dict[str, float]:
    truth, found = maps(TARGETS), maps({**FOUND, 3: []})
    results = results_of([count_image(truth[i], found[i], 3.0) for i in TARGETS])
    assert results["Pd"] == pytest.approx(200 / 3)
    assert results["Fa"] == pytest.approx(1e6 * 4 / (3 * 2400))
    return results


def feed(evaluator, *, masks: bool = False) -> None:
    for image, boxes in FOUND.items():
        corners = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        found = Instances(SIZE, pred_boxes=Boxes(corners), scores=torch.tensor(SCORES[image]))
        found.pred_classes = torch.zeros(len(boxes), dtype=torch.int64)
        if masks:
            pixels = [fill_boxes(np.array([box], float), *SIZE) for box in boxes]
            found.pred_masks = torch.from_numpy(np.stack(pixels))
        evaluator.process([{"image_id": image}], [{"instances": found}])


def test_boxes_and_masks_of_a_detector_and_the_command_give_the_same(dataset, tmp_path, capsys):
    name = dataset(content())
    evaluator = TinyCOCOEvaluator(
        name, distributed=False, protocol="irstd", output_dir=str(tmp_path)
    )
    feed(evaluator, masks=True)
    results = evaluator.evaluate()
    assert results["bbox"] == results["segm"] == pytest.approx(expected())
    record = json.loads((tmp_path / "tiny_results.json").read_text())
    assert record["targets"] == {"score": 0.5, "distance": 3.0}
    assert record["counted"]["targets"] == 3 and record["counted"]["detected"] == 2
    file, found = tmp_path / "truth.json", tmp_path / "coco_instances_results.json"
    for extra, kind in (({}, "segm"), ({"segmentation": []}, "bbox")):
        file.write_text(json.dumps(content(**extra)))
        assert (
            main(
                [
                    "evaluate",
                    "--protocol",
                    "irstd",
                    str(file),
                    str(found),
                    "--output",
                    str(tmp_path),
                ]
            )
            == 0
        )
        capsys.readouterr()
        name = "tiny_results.json" if kind == "bbox" else "tiny_results_segm.json"
        assert json.loads((tmp_path / name).read_text())[kind] == pytest.approx(expected())


@pytest.mark.parametrize("channels", [1, 2])
def test_maps_of_a_segmentation_network(dataset, channels):
    evaluator = InfraredEvaluator(dataset(content()), distributed=False)
    for image, pixels in maps({**FOUND, 3: []}).items():
        target = torch.from_numpy(pixels).float() * 0.4 + 0.3  # 0.7 and 0.3
        scores = target[None] if channels == 1 else torch.stack([1 - target, target])
        evaluator.process([{"image_id": image}], [{"sem_seg": scores}])
    assert evaluator.evaluate() == {"segm": pytest.approx(expected())}


def test_a_network_that_finds_nothing_has_zeros(dataset):
    evaluator = InfraredEvaluator(dataset(content()), distributed=False)
    for image in TARGETS:
        evaluator.process([{"image_id": image}], [{"sem_seg": torch.zeros(1, *SIZE)}])
    assert evaluator.evaluate()["segm"] == {"IoU": 0.0, "nIoU": 0.0, "Pd": 0.0, "Fa": 0.0}


def test_other_protocols_and_maps_of_other_sizes_are_refused(dataset):
    name = dataset(content())
    with pytest.raises(UserError, match="protocol aitod counts boxes.*TinyCOCOEvaluator"):
        InfraredEvaluator(name, distributed=False, protocol="aitod")
    evaluator = InfraredEvaluator(name, distributed=False)
    evaluator.process([{"image_id": 1}], [{"sem_seg": torch.ones(1, 20, 30)}])
    with pytest.raises(DetectionError, match=r"image 1 is 40 x 60.*20 x 30: give masks of whole"):
        evaluator.evaluate()


def test_a_trainer_measures_by_it(dataset, tmp_path):
    cfg = get_cfg()
    add_d2freq_config(cfg)
    cfg.TEST.TINY.PROTOCOL = "irstd"
    cfg.OUTPUT_DIR = str(tmp_path)
    evaluator = Trainer.build_evaluator(cfg, dataset(content()))
    feed(evaluator)
    assert evaluator.evaluate()["bbox"] == pytest.approx(expected())


def test_flagged_targets_are_left_out(dataset):
    truth = content()
    truth["annotations"][0]["iscrowd"] = 1
    evaluator = TinyCOCOEvaluator(dataset(truth), distributed=False, protocol="irstd")
    feed(evaluator)
    assert evaluator.evaluate()["bbox"]["Pd"] == 50.0
