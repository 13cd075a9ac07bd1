"""Ground truth and detections for the tests of TinyCOCOEvaluator, and how they are fed to it."""

import numpy as np
import torch
from detectron2.structures import Boxes, Instances

from d2freq.evaluation.coco.guard import Detections

from ...coco_cases import coco


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
                    "image_id": image * 7,
                    "category_id": int(rng.integers(1, categories + 1)) * 3,
                    "bbox": [float(v) for v in (x, y, w, h)],
                    "iscrowd": int(crowds and rng.random() < 0.1),
                }
            )
    return coco(
        annotations,
        images=[7 * i for i in range(1, images + 1)],
        kinds={3 * k: f"kind{k}" for k in range(1, categories + 2)},
        size=(256, 256),
    )


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


def to_arrays(rows: list[dict]) -> Detections:
    """What read_detections gives for a file of these rows."""
    return Detections(
        np.array([r["image_id"] for r in rows], np.int64),
        np.array([r["category_id"] for r in rows], np.int64),
        np.array([r["bbox"] for r in rows], np.float64).reshape(-1, 4),
        np.array([r["score"] for r in rows], np.float64),
    )


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
