"""COCO: the results that evaluations read, and a COCO file that says what their ids mean."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from d2freq.data.coco.write import write_coco
from d2freq.evaluation.coco.detections_file import write_detections
from d2freq.evaluation.coco.guard import Detections
from d2freq.inference.detections import PictureResult
from d2freq.inference.outputs.run_info import RunInfo

__all__ = ["RESULTS_FILE", "DATASET_FILE", "join_detections", "write_coco_files"]

RESULTS_FILE = "detections.json"
DATASET_FILE = "detections_coco.json"


def write_coco_files(results: Sequence[PictureResult], folder: Path, run: RunInfo) -> list[Path]:
    """COCO's results, detections.json, and as a COCO file with pictures and class names.

    The first is what ``d2freq evaluate`` and pycocotools' ``loadRes`` read. The second,
    detections_coco.json, holds pictures, categories and the detections as annotations with a
    ``score``, as labelling tools import them.
    """
    found = join_detections(results, run)
    write_detections(folder / RESULTS_FILE, found)
    pictures = [result.picture for result in results if not result.failure]
    images = [
        {"id": p.image_id, "file_name": p.name, "width": p.width, "height": p.height}
        for p in pictures
    ]
    columns = zip(
        found.image_id.tolist(),
        found.category_id.tolist(),
        found.xywh.tolist(),
        found.area.tolist(),
        found.score.tolist(),
        strict=True,
    )
    annotations = [
        dict(id=number, image_id=image, category_id=kind, bbox=box, area=area, iscrowd=0, score=s)
        for number, (image, kind, box, area, s) in enumerate(columns, start=1)
    ]
    write_coco(
        folder / DATASET_FILE,
        images=images,
        annotations=annotations,
        categories=[{"id": k, "name": n} for k, n in zip(run.ids, run.names, strict=True)],
        info={"description": f"{run.title}: detections, not ground truth"},
    )
    return [folder / RESULTS_FILE, folder / DATASET_FILE]


def join_detections(results: Sequence[PictureResult], run: RunInfo) -> Detections:
    """All detections of a run as the evaluation holds them, picture by picture."""
    ids = np.array(run.ids, np.int64)
    parts = [result.detections for result in results]
    counts = [len(part) for part in parts]
    images = np.array([result.picture.image_id for result in results], np.int64)
    corners = np.concatenate([np.zeros((0, 4)), *(part.boxes for part in parts)])
    classes = np.concatenate([np.zeros(0, np.int64), *(part.classes for part in parts)])
    return Detections(
        image_id=np.repeat(images, counts),
        category_id=ids[classes.astype(np.int64)] if len(classes) else classes.astype(np.int64),
        xywh=np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]]),
        score=np.concatenate([np.zeros(0), *(part.scores for part in parts)]),
    )
