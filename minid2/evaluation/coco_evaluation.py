"""COCO's metrics for detected boxes."""

import copy
import itertools
import json
import logging
import os
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from tabulate import tabulate

from ..data.catalog import MetadataCatalog
from ..utils import comm
from ..utils.file_io import PathManager
from ..utils.logger import create_small_table
from .coco_json import instances_to_coco_json
from .counting import count_boxes, quiet_coco
from .evaluator import DatasetEvaluator

__all__ = ["COCOEvaluator", "instances_to_coco_json"]

METRICS = ("AP", "AP50", "AP75", "APs", "APm", "APl")


class COCOEvaluator(DatasetEvaluator):
    """AP of boxes by COCO's rules, in [0, 100]; NaN where it cannot be computed."""

    def __init__(
        self,
        dataset_name: str,
        tasks: Iterable[str] | None = None,
        distributed: bool = True,
        output_dir: str | None = None,
        *,
        max_dets_per_image: int | None = None,
        use_fast_impl: bool = True,
        kpt_oks_sigmas: Iterable[float] = (),
        allow_cached_coco: bool = True,
    ) -> None:
        """Read the ground truth of a registered data set.

        Args:
            dataset_name: its metadata has ``json_file``, a COCO file; otherwise one is written
                to ``output_dir`` from its records.
            tasks: ``("bbox",)``, or None for what the predictions have.
            distributed: gather the predictions of all processes and evaluate in the main one.
            output_dir: folder for ``instances_predictions.pth`` and
                ``coco_instances_results.json``; None writes neither.
            max_dets_per_image: AP counts that many detections of an image and category; 100 by
                COCO's rules.
            use_fast_impl: count by faster-coco-eval in place of pycocotools.
            kpt_oks_sigmas: for keypoints, which are not evaluated here.
            allow_cached_coco: take the COCO file of an earlier run where one was written.

        Raises:
            NotImplementedError: ``tasks`` has something else than boxes.
            ValueError: a COCO file has to be written and there is no ``output_dir``.
        """
        self._logger = logging.getLogger(__name__)
        self._distributed = distributed
        self._output_dir = output_dir
        self._use_fast_impl = use_fast_impl
        self._max_dets_per_image = [1, 10, max_dets_per_image or 100]
        self._tasks = None if tasks is None else tuple(tasks)
        self._kpt_oks_sigmas = kpt_oks_sigmas
        self._cpu_device = torch.device("cpu")
        for task in self._tasks or ():
            _require_bbox(task)

        self._metadata = MetadataCatalog.get(dataset_name)
        if not hasattr(self._metadata, "json_file"):
            self._metadata.json_file = self._write_coco_json(dataset_name, allow_cached_coco)
        from pycocotools.coco import COCO

        self._coco_api = quiet_coco(COCO, PathManager.get_local_path(self._metadata.json_file))
        self._do_evaluation = "annotations" in self._coco_api.dataset  # test sets may have none

    def _write_coco_json(self, dataset_name: str, allow_cached: bool) -> str:
        from ..data.datasets.coco import convert_to_coco_json

        if self._output_dir is None:
            raise ValueError(
                f"dataset {dataset_name!r} has no json_file in its metadata: give COCOEvaluator an "
                "output_dir, where its records can be written in COCO format"
            )
        self._logger.info("Converting %r to COCO format ...", dataset_name)
        path = os.path.join(self._output_dir, f"{dataset_name}_coco_format.json")
        convert_to_coco_json(dataset_name, path, allow_cached=allow_cached)
        return path

    def reset(self) -> None:
        self._predictions: list[dict] = []

    def process(self, inputs: list[dict], outputs: list[dict]) -> None:
        """Take note of the predictions for a batch.

        Args:
            inputs: records with ``image_id``.
            outputs: dicts with ``instances``, an :class:`Instances` with ``pred_boxes``,
                ``scores`` and ``pred_classes`` in the pixels of the original image.
        """
        for record, output in zip(inputs, outputs, strict=True):
            if "proposals" in output:
                raise NotImplementedError(
                    "minid2 does not evaluate box proposals; the real Detectron2 does"
                )
            if "instances" in output:
                detections = instances_to_coco_json(
                    output["instances"].to(self._cpu_device), record["image_id"]
                )
                self._predictions.append({"image_id": record["image_id"], "instances": detections})

    def evaluate(self, img_ids: list[int] | None = None) -> dict:
        """Metrics by task, ``{"bbox": {"AP": ...}}``, or ``{}`` outside the main process.

        Args:
            img_ids: evaluate these images only.
        """
        predictions = self._predictions
        if self._distributed:
            comm.synchronize()
            gathered = comm.gather(predictions, dst=0)
            if not comm.is_main_process():
                return {}
            predictions = list(itertools.chain.from_iterable(gathered))
        if not predictions:
            self._logger.warning("[COCOEvaluator] Did not receive valid predictions.")
            return {}
        if self._output_dir:
            PathManager.mkdirs(self._output_dir)
            with PathManager.open(self._in_output_dir("instances_predictions.pth"), "wb") as file:
                torch.save(predictions, file)

        self._results: OrderedDict[str, dict[str, float]] = OrderedDict()
        self._eval_predictions(predictions, img_ids=img_ids)
        return copy.deepcopy(self._results)  # so that a caller may change it

    def _in_output_dir(self, name: str) -> str:
        return os.path.join(self._output_dir or "", name)

    def _tasks_from_predictions(self, predictions: list[dict]) -> list[str]:
        """The tasks that detections in COCO's result format can be evaluated for."""
        for key, task in (("segmentation", "segm"), ("keypoints", "keypoints")):
            if any(key in detection for detection in predictions):
                _require_bbox(task)
        return ["bbox"]

    def _eval_predictions(self, predictions: list[dict], img_ids: list[int] | None = None) -> None:
        """Fill ``self._results`` with the metrics of each task."""
        self._logger.info("Preparing results for COCO format ...")
        detections = self._with_dataset_ids(
            itertools.chain.from_iterable(p["instances"] for p in predictions)
        )
        tasks = self._tasks or self._tasks_from_predictions(detections)
        if self._output_dir:
            path = self._in_output_dir("coco_instances_results.json")
            self._logger.info("Saving results to %s", path)
            with PathManager.open(path, "w") as file:
                json.dump(detections, file)
        if not self._do_evaluation:
            self._logger.info("Annotations are not available for evaluation.")
            return
        for task in tasks:
            coco_eval = None
            if detections:
                coco_eval = count_boxes(
                    self._coco_api,
                    detections,
                    max_dets=self._max_dets_per_image,
                    use_fast_impl=self._use_fast_impl,
                    img_ids=img_ids,
                )
            self._results[task] = self._derive_coco_results(
                coco_eval, task, class_names=self._metadata.get("thing_classes")
            )

    def _with_dataset_ids(self, detections: Iterable[dict]) -> list[dict]:
        """The detections with the category ids of the data set in place of 0 to K - 1."""
        to_contiguous = self._metadata.get("thing_dataset_id_to_contiguous_id")
        if to_contiguous is None:
            return list(detections)
        to_dataset = {contiguous: category for category, contiguous in to_contiguous.items()}
        count = len(to_dataset)
        assert sorted(to_dataset) == list(range(count)), (
            f"thing_dataset_id_to_contiguous_id must lead to 0..{count - 1}, got {to_contiguous}"
        )
        converted = []
        for detection in detections:
            label = detection["category_id"]
            assert label in to_dataset, (
                f"A prediction has class={label}, but the dataset only has {count} classes and "
                f"predicted class id should be in [0, {count - 1}]. Does the model have the "
                "number of classes of this data set?"
            )
            converted.append({**detection, "category_id": to_dataset[label]})
        return converted

    def _derive_coco_results(
        self, coco_eval: Any, iou_type: str, class_names: list[str] | None = None
    ) -> dict[str, float]:
        """Choose the numbers to report, and log them as tables.

        Args:
            coco_eval: COCOeval with ``stats`` and ``eval``; None if there are no detections.
            iou_type: the task, for the log.
            class_names: adds ``AP-<name>`` for each, where there are at least two.
        """
        if coco_eval is None:
            self._logger.warning("No predictions from the model!")
            return dict.fromkeys(METRICS, float("nan"))
        results = {name: _percent(coco_eval.stats[i]) for i, name in enumerate(METRICS)}
        self._logger.info("Evaluation results for %s: \n%s", iou_type, create_small_table(results))
        if not all(np.isfinite(list(results.values()))):
            self._logger.info("Some metrics cannot be computed and is shown as NaN.")
        if class_names is None or len(class_names) <= 1:
            return results

        precision = coco_eval.eval["precision"]  # (T, R, K, A, M)
        assert len(class_names) == precision.shape[2], (
            f"{len(class_names)} class names for {precision.shape[2]} categories of the COCO file"
        )
        by_class = {}
        for index, name in enumerate(class_names):
            known = precision[:, :, index, 0, -1]
            known = known[known > -1]
            by_class[str(name)] = _percent(known.mean() if known.size else -1)
        table = tabulate(by_class.items(), ["category", "AP"], tablefmt="pipe", floatfmt=".3f")
        self._logger.info("Per-category %s AP: \n%s", iou_type, table)
        return results | {f"AP-{name}": score for name, score in by_class.items()}


def _require_bbox(task: str) -> None:
    if task != "bbox":
        raise NotImplementedError(
            f"minid2 evaluates boxes only, not {task!r} (tasks of COCOEvaluator); the real "
            "Detectron2 has it"
        )


def _percent(value: float) -> float:
    """From [0, 1] to [0, 100]; -1, COCO's "no ground truth", becomes NaN."""
    return float(value * 100) if value >= 0 else float("nan")
