"""Two processes over gloo, each with its share of the images, measure as one process does."""

import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

import d2freq  # noqa: F401  a spawned process chooses the host anew

from ...coco_cases import coco

NAME = "distributed_evaluation_test"


def write_truth(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    annotations = []
    for _ in range(70):
        w, h = rng.integers(3, 30, 2).tolist()
        record = {"image_id": int(rng.integers(1, 8)), "category_id": int(rng.integers(1, 3))}
        annotations.append(record | {"bbox": [*rng.integers(0, 90, 2).tolist(), w, h]})
    truth = coco(annotations, images=range(1, 8), kinds=(1, 2), size=(128, 128))
    path = folder / "truth.json"
    path.write_text(json.dumps(truth))
    return path


def measure(file: str, output: str, share: list[int] | None = None) -> dict:
    """What the evaluator of this process returns, having seen the images of its share."""
    from detectron2.data.datasets import register_coco_instances
    from detectron2.data.samplers import InferenceSampler
    from detectron2.structures import Boxes, Instances

    from d2freq.evaluation import TinyCOCOEvaluator

    name = f"{NAME}_{Path(output).name}"
    register_coco_instances(name, {}, file, str(Path(file).parent))
    truth = json.loads(Path(file).read_text())
    evaluator = TinyCOCOEvaluator(name, distributed=True, output_dir=output)
    evaluator.reset()
    for place in InferenceSampler(7) if share is None else share:
        image = truth["images"][place]
        rng = np.random.default_rng(
            place
        )  # the detections of an image do not depend on who sees it
        own = [a for a in truth["annotations"] if a["image_id"] == image["id"]]
        boxes = torch.tensor([a["bbox"] for a in own]).float().reshape(-1, 4)
        boxes += torch.from_numpy(rng.normal(0, 1.0, boxes.shape)).float()
        found = Instances((128, 128))
        found.pred_boxes = Boxes(torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:].abs()], 1))
        found.scores = torch.from_numpy(rng.random(len(own)).round(1)).float()
        found.pred_classes = torch.tensor([a["category_id"] - 1 for a in own], dtype=torch.int64)
        evaluator.process([{"image_id": image["id"]}], [{"instances": found}])
    return evaluator.evaluate()


def one_of_two(rank: int, rendezvous: str, file: str, folder: str, shares) -> None:
    from detectron2.utils import comm

    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
    try:
        if hasattr(comm, "create_local_process_group"):
            comm.create_local_process_group(2)
        for number, share in enumerate(shares):
            result = measure(file, f"{folder}/two{number}", share and share[rank])
            assert bool(result) == (rank == 0), "only the main process has a result"
    finally:
        dist.destroy_process_group()


def read(folder: Path) -> dict:
    saved = json.loads((folder / "tiny_results.json").read_text())
    return {key: value for key, value in saved.items() if key != "dataset"}


def test_two_processes_measure_what_one_does(tmp_path):
    """By the host's sampler, and by one that pads both shares of seven images to four."""
    file = str(write_truth(tmp_path))
    alone = measure(file, str(tmp_path / "one"))["bbox"]
    assert 5 < alone["AP"] < 95 and not math.isnan(alone["APvt"])
    padded = [[0, 2, 4, 6], [1, 3, 5, 0]]
    arguments = (str(tmp_path / "meet"), file, str(tmp_path), [None, padded])
    mp.spawn(one_of_two, args=arguments, nprocs=2)
    one, sampled, padded_result = (read(tmp_path / name) for name in ("one", "two0", "two1"))
    assert sampled == one
    again = sum(a["image_id"] == 1 for a in json.loads(Path(file).read_text())["annotations"])
    dropped = padded_result.pop("dropped_detections")
    assert dropped == {"on an image that was processed before": again} and again > 0
    assert padded_result == {k: v for k, v in one.items() if k != "dropped_detections"}
    files = [tmp_path / name / "coco_instances_results.json" for name in ("one", "two0")]
    assert files[0].read_bytes() == files[1].read_bytes()
