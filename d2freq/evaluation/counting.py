"""Precision and recall by COCO's rules under any protocol, counted by faster-coco-eval.

T overlap thresholds, R = 101 recall points, K categories, A areas ("all" first), M limits.
"""

from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from d2freq.evaluation.guard import Detections, GroundTruth
from d2freq.evaluation.protocols import Protocol

RECALL_POINTS = 101
LARGE = 300_000  # detections from which on counting takes seconds and shows a progress bar


@dataclass(frozen=True)
class Counts:
    """``precision`` (T, R, K, A, M) and ``recall`` (T, K, A, M), in [0, 1].

    Where a category has no ground truth in an area, both are -1.
    """

    protocol: Protocol
    categories: tuple[str, ...]
    precision: np.ndarray
    recall: np.ndarray

    def ap(self, area: str = "all", iou: float | None = None, category: int | None = None) -> float:
        """Average precision in percent at the last limit; NaN without ground truth."""
        values = self.precision[:, :, :, self._area(area), -1]
        if iou is not None:
            values = values[[self._iou(iou)]]
        return _percent(values if category is None else values[:, :, [category]])

    def ar(self, area: str = "all", limit: int = -1, category: int | None = None) -> float:
        """Average recall in percent; ``limit`` is an index into ``protocol.max_dets``."""
        values = self.recall[:, :, self._area(area), limit]
        return _percent(values if category is None else values[:, [category]])

    def has_iou(self, iou: float) -> bool:
        """Whether the protocol counts at this overlap."""
        return bool(np.isclose(self.protocol.iou_thresholds, iou).any())

    def _iou(self, iou: float) -> int:
        return int(np.flatnonzero(np.isclose(self.protocol.iou_thresholds, iou))[0])

    def _area(self, label: str) -> int:
        return [area.label for area in self.protocol.all_areas].index(label)


def _percent(values: np.ndarray) -> float:
    known = values[values > -1]
    return float(np.mean(known)) * 100 if known.size else float("nan")


def count(truth: GroundTruth, detections: Detections, protocol: Protocol) -> Counts:
    """Match detections with ground truth and count, category by category.

    One category at a time, since the engine wants a dictionary a detection: memory holds those of
    one category only.
    """
    thresholds = len(protocol.iou_thresholds)
    cells = (len(truth.categories), len(protocol.all_areas), len(protocol.max_dets))
    precision = np.empty((thresholds, RECALL_POINTS, *cells))
    recall = np.empty((thresholds, *cells))
    quiet = len(detections) < LARGE
    for k, category in enumerate(tqdm(truth.categories, desc="counting", disable=quiet)):
        result = _count_category(truth, detections, protocol, category)
        precision[:, :, k] = result["precision"][:, :, 0]
        recall[:, k] = result["recall"][:, 0]
    return Counts(protocol, tuple(truth.categories.values()), precision, recall)


def _count_category(truth: GroundTruth, detections: Detections, protocol, category: int) -> dict:
    from faster_coco_eval import COCO, COCOeval_faster

    own = truth.category_id == category
    found = detections.select(detections.category_id == category)
    images = [{"id": i} for i in np.union1d(truth.image_id[own], found.image_id).tolist()]
    references = zip(
        truth.image_id[own].tolist(),
        truth.xywh[own].tolist(),
        truth.area[own].tolist(),
        truth.crowd[own].tolist(),
        strict=True,
    )
    gt = [
        # the engine reads ids as match marks, so they count from 1
        {"id": n, "image_id": i, "category_id": 1, "bbox": b, "area": a, "iscrowd": int(c)}
        for n, (i, b, a, c) in enumerate(references, start=1)
    ]
    areas = (found.xywh[:, 2] * found.xywh[:, 3]).tolist()
    rows = zip(
        found.image_id.tolist(), found.xywh.tolist(), areas, found.score.tolist(), strict=True
    )
    dt = [
        {"id": n, "image_id": i, "category_id": 1, "bbox": b, "area": a, "score": s, "iscrowd": 0}
        for n, (i, b, a, s) in enumerate(rows, start=1)
    ]
    engine = COCOeval_faster(
        *(_index(COCO(), images, records) for records in (gt, dt)),
        iouType="bbox",
        print_function=_silent,
    )
    engine.params.iouThrs = np.array(protocol.iou_thresholds)
    engine.params.recThrs = np.linspace(0.0, 1.0, RECALL_POINTS)
    engine.params.maxDets = list(protocol.max_dets)
    engine.params.areaRng = [[area.low, area.high] for area in protocol.all_areas]
    engine.params.areaRngLbl = [area.label for area in protocol.all_areas]
    engine.evaluate()
    engine.accumulate()
    return engine.eval


def _index(coco, images: list[dict], annotations: list[dict]):
    categories = [{"id": 1, "name": "this one"}]
    coco.dataset = {"images": images, "annotations": annotations, "categories": categories}
    coco.createIndex()
    return coco


def _silent(*_: object) -> None:
    """The engine reports to nobody: the evaluator prints the result."""
