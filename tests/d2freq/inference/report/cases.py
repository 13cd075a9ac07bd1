"""A run on made-up pictures with ground truth, two classes, and what a careless page would run."""

import json
import re
from pathlib import Path

import numpy as np
from PIL import Image

from d2freq.evaluation import get_protocol
from d2freq.evaluation.coco.guard import GroundTruth, guard_ground_truth
from d2freq.inference.detections import Detections, Picture, PictureResult
from d2freq.inference.outputs.pixels import PictureReader
from d2freq.inference.outputs.run_info import RunInfo

EVIL = "<script>document.title='run'</script>"
CLASSES = ("ship", EVIL)


def page_data(path: Path) -> dict:
    """The data that a page carries."""
    (text,) = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', path.read_text("utf-8")
    )
    return json.loads(text)


def truth_of(data: dict) -> GroundTruth:
    return guard_ground_truth(data, get_protocol("aitod"), "truth.json")


def made_run(
    folder: Path, count: int = 4, size: tuple[int, int] = (160, 120), *, truth: bool = True
) -> tuple[list[PictureResult], RunInfo, dict]:
    """``count`` pictures with ten objects each: most are found, some twice, some not at all.

    The number of misses rises with the number of the picture.

    Returns:
        the results, what writers need, and the ground truth as COCO content.
    """
    rng = np.random.default_rng(1)
    images: list[dict] = []
    annotations: list[dict] = []
    results = []
    for number in range(1, count + 1):
        name = f"{EVIL.replace('/', '_')}{number}.png" if number == 1 else f"p{number}.png"
        pixels = rng.integers(0, 90, (size[1], size[0], 3), dtype=np.uint8)
        boxes, kinds = [], rng.integers(0, 2, 10)
        for place, kind in enumerate(kinds.tolist()):
            x, y = 6 + 30 * (place % 5), 10 + 50 * (place // 5)
            w, h = rng.integers(6, 14, 2).tolist()
            pixels[y : y + h, x : x + w] = (250, 220, 60) if kind else (80, 200, 250)
            boxes.append([x, y, x + w, y + h])
            flat = dict(image_id=number, category_id=kind + 1, bbox=[x, y, w, h], area=w * h)
            annotations.append(flat | dict(id=len(annotations) + 1, iscrowd=0))
        Image.fromarray(pixels).save(folder / f"{number}.png")
        images.append(dict(id=number, file_name=name, width=size[0], height=size[1]))
        seen = np.arange(10) >= number
        found = np.array(boxes, float)[seen] + rng.normal(0, 0.5, (int(seen.sum()), 4))
        alarms = np.array([[size[0] - 20, 5 + 12 * n, size[0] - 12, 12 + 12 * n] for n in range(3)])
        scores = np.append(rng.uniform(0.3, 1, len(found)), [0.2, 0.35, 0.6])
        order = np.argsort(-scores)
        detections = Detections(
            np.vstack([found, alarms])[order],
            scores[order],
            np.append(kinds[seen], [0, 1, 0])[order],
            CLASSES,
        )
        picture = Picture(name, str(folder / f"{number}.png"), *size, number)
        results.append(PictureResult(picture, detections))
    kinds_of = [dict(id=n, name=name) for n, name in enumerate(CLASSES, 1)]
    content = dict(images=images, annotations=annotations, categories=kinds_of)
    known = truth_of(content) if truth else None
    run = RunInfo(CLASSES, title=f"Run {EVIL}", read=PictureReader(), truth=known)
    return results, run, content


def as_results(results: list[PictureResult]) -> list[dict]:
    """COCO's result rows."""
    return [
        dict(image_id=r.picture.image_id, category_id=kind + 1, score=score)
        | dict(bbox=[x0, y0, x1 - x0, y1 - y0])
        for r in results
        for (x0, y0, x1, y1), kind, score in zip(
            r.detections.boxes.tolist(),
            r.detections.classes.tolist(),
            r.detections.scores.tolist(),
            strict=True,
        )
    ]
