"""TinyCOCOEvaluator: Detectron2's COCOEvaluator for tiny objects, with the protocol as data."""

import json
import logging
import math
import os
from collections.abc import Iterable, Mapping
from weakref import WeakKeyDictionary

import numpy as np
from detectron2.evaluation import COCOEvaluator
from detectron2.utils import comm

from d2freq.data.coco import check_coco
from d2freq.errors import UserError
from d2freq.evaluation.counting import Counts, count
from d2freq.evaluation.guard import (
    DetectionError,
    Detections,
    GroundTruth,
    guard_detections,
    guard_ground_truth,
)
from d2freq.evaluation.protocols import Protocol, get_protocol
from d2freq.evaluation.report import category_rows, summary, tables

logger = logging.getLogger(__name__)

PREDICTIONS_FILE = "coco_instances_results.json"
RESULTS_FILE = "tiny_results.json"
# Checked ground truth of each loaded COCO file, as long as the host keeps that file in memory.
_checked: "WeakKeyDictionary[object, dict[str, GroundTruth]]" = WeakKeyDictionary()


class TinyCOCOEvaluator(COCOEvaluator):
    """Box AP and AR under a tiny-object protocol.

    ``evaluate`` returns ``{"bbox": {...}}`` in percent: AP, AP50, AP75, AP and AR of each size
    class (``APvt``, ``ARvt``...), AR at each limit (``AR@100``...), ``AP-<category>``; NaN where
    there is no ground truth, 0 where nothing was detected. With ``output_dir`` it writes the
    detections (coco_instances_results.json) and the results with the protocol's name, its source
    and what was dropped or repaired (tiny_results.json).
    """

    def __init__(
        self,
        dataset_name: str,
        tasks: Iterable[str] | None = None,
        distributed: bool = True,
        output_dir: str | None = None,
        *,
        protocol: str | Protocol = "aitod",
        strict: bool = False,
        allow_cached_coco: bool = True,
    ):
        """Load the ground truth of a registered data set.

        Args:
            dataset_name: its metadata has ``json_file``, or it is converted to COCO first.
            tasks: None or ("bbox",).
            distributed: gather the detections of all processes on the main one.
            output_dir: folder for the two files; None writes nothing.
            protocol: a name in d2freq.evaluation.protocols, or a Protocol.
            strict: broken detections (NaN, negative sides) are an error instead of dropped.
            allow_cached_coco: reuse ground truth that is in memory already.

        Raises:
            UserError: another task than bbox, or an unknown protocol.
            DatasetError: the ground truth file is faulty.
        """
        if tasks is not None and set(tasks) != {"bbox"}:
            raise UserError(f"TinyCOCOEvaluator measures boxes only, not tasks={tuple(tasks)}")
        self._protocol = get_protocol(protocol)
        self._strict = strict
        try:
            super().__init__(
                dataset_name,
                ("bbox",),
                distributed,
                output_dir,
                max_dets_per_image=self._protocol.max_dets[-1],
                allow_cached_coco=allow_cached_coco,
            )
        except (ValueError, KeyError, TypeError, AssertionError):
            _explain(dataset_name)
            raise
        self._dataset_name = dataset_name
        self.reset()

    def reset(self) -> None:
        """Forget all detections."""
        self._batches: list[tuple[int, np.ndarray, np.ndarray, np.ndarray]] = []

    def process(self, inputs: list[dict], outputs: list[dict]) -> None:
        """Keep the detections of a batch as arrays on the CPU."""
        for image, output in zip(inputs, outputs, strict=True):
            if "instances" not in output:
                raise UserError(
                    f"image {image['image_id']}: the model's output has {sorted(output)}, no "
                    "'instances'; TinyCOCOEvaluator measures detections, not proposals"
                )
            found = output["instances"].to("cpu")
            corners = found.pred_boxes.tensor.detach().float().numpy()
            xywh = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
            scores = found.scores.detach().float().numpy()
            self._batches.append((image["image_id"], xywh, scores, found.pred_classes.numpy()))

    def evaluate(self, img_ids: Iterable[int] | None = None) -> dict[str, dict[str, float]]:
        """Measure what was processed; ``{}`` on all processes but the main one.

        Args:
            img_ids: measure on these images only.
        """
        parts = [_join(self._batches)]
        if self._distributed:
            comm.synchronize()
            parts = comm.gather(parts[0], dst=0)
            if not comm.is_main_process():
                return {}
        columns = zip(*parts, strict=True)
        image_id, xywh, score, classes = (np.concatenate(column) for column in columns)
        detections = Detections(image_id, self._category_ids(classes), xywh, score)
        if self._output_dir:
            os.makedirs(self._output_dir, exist_ok=True)
            _write_predictions(os.path.join(self._output_dir, PREDICTIONS_FILE), detections)
        if "annotations" not in self._coco_api.dataset:
            logger.info("%s has no annotations: detections saved, no AP", self._dataset_name)
            return {}
        truth = self._ground_truth()
        detections = guard_detections(detections, truth, strict=self._strict)
        if img_ids is not None:
            truth = truth.select(img_ids)
            detections = detections.select(np.isin(detections.image_id, truth.image_ids))
        counts = count(truth, detections, self._protocol)
        results = summary(counts)
        self._publish(counts, results, truth, detections)
        return {"bbox": results}

    def _category_ids(self, classes: np.ndarray) -> np.ndarray:
        """From the model's classes 0..K-1 to the category ids of the file."""
        mapping: Mapping[int, int] | None = self._metadata.get("thing_dataset_id_to_contiguous_id")
        if mapping is None:  # not loaded yet: Detectron2 numbers categories in the order of ids
            ids = sorted(self._coco_api.cats)
            mapping = {category: index for index, category in enumerate(ids)}
        backward = {index: category for category, index in mapping.items()}
        strange = sorted(set(np.unique(classes).tolist()) - set(backward))
        if strange:
            raise DetectionError(
                f"the model predicts class {strange[0]}, but {self._dataset_name} has "
                f"{len(backward)} classes (0 to {len(backward) - 1}); set the model's class count, "
                f"for example MODEL.ROI_HEADS.NUM_CLASSES {len(backward)}"
            )
        table = np.array([backward.get(i, -1) for i in range(max(backward, default=-1) + 1)])
        return table.astype(np.int64)[classes] if len(classes) else classes.astype(np.int64)

    def _ground_truth(self) -> GroundTruth:
        known = _checked.setdefault(self._coco_api, {})
        if self._protocol.ignore not in known:
            name = self._metadata.get("json_file") or self._dataset_name
            truth = guard_ground_truth(self._coco_api.dataset, self._protocol, name)
            if truth.report.repairs:
                logger.warning(truth.report.warning())
            known[self._protocol.ignore] = truth
        return known[self._protocol.ignore]

    def _publish(
        self, counts: Counts, results: dict[str, float], truth: GroundTruth, detections: Detections
    ) -> None:
        protocol = self._protocol
        for kind, number in detections.dropped.items():
            logger.warning("%d detections dropped: %s", number, kind)
        title = f"{self._dataset_name}, protocol {protocol.name}: {protocol.source}"
        logger.info("%s\n%s", title, tables(counts, results))
        if self._output_dir:
            record = {
                "dataset": self._dataset_name,
                "protocol": protocol.name,
                "source": protocol.source,
                "areas": {area.label: [area.low, area.high] for area in protocol.areas},
                "max_dets": list(protocol.max_dets),
                "iou_thresholds": list(protocol.iou_thresholds),
                "images": len(truth.image_ids),
                "ground_truth": int((~truth.crowd).sum()),
                "ignored_ground_truth": int(truth.crowd.sum()),
                "detections": len(detections),
                "dropped_detections": detections.dropped,
                "repaired_ground_truth": {f.kind: f.count for f in truth.report.repairs},
                "bbox": results,
                "per_category": category_rows(counts),
            }
            path = os.path.join(self._output_dir, RESULTS_FILE)
            with open(path, "w", encoding="utf-8") as file:
                json.dump(_without_nan(record), file, indent=1, allow_nan=False)


def _explain(dataset_name: str) -> None:
    """Raise the reason why the ground truth could not be read, if the file is to blame."""
    from detectron2.data import MetadataCatalog

    json_file = MetadataCatalog.get(dataset_name).get("json_file")
    if json_file:
        check_coco(json_file, images="none", allow_ignore=True).raise_if_faulty()


def _join(batches: list[tuple]) -> tuple[np.ndarray, ...]:
    """Image ids (N,), xywh (N, 4) float64, scores (N,) float64, classes (N,) of one process."""
    if not batches:
        return np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64)
    image_ids, boxes, scores, classes = zip(*batches, strict=True)
    return (
        np.repeat(np.array(image_ids, np.int64), [len(s) for s in scores]),
        np.concatenate(boxes).astype(np.float64),
        np.concatenate(scores).astype(np.float64),
        np.concatenate(classes).astype(np.int64),
    )


def _write_predictions(path: str, detections: Detections) -> None:
    columns = (detections.image_id, detections.category_id, detections.xywh, detections.score)
    names = ("image_id", "category_id", "bbox", "score")
    with open(path, "w", encoding="utf-8") as file:
        file.write("[")
        for start in range(0, len(detections), 10_000):  # in blocks: millions need no memory
            block = zip(
                *(column[start : start + 10_000].tolist() for column in columns), strict=True
            )
            text = json.dumps([dict(zip(names, row, strict=True)) for row in block])
            file.write((", " if start else "") + text[1:-1])
        file.write("]")


def _without_nan(value: object) -> object:
    """JSON knows no NaN: null instead."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_nan(entry) for entry in value]
    return value
