"""COCO's metrics for detected boxes and masks."""

import contextlib
import copy
import io
import itertools
import json
import os
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from tabulate import tabulate

from ..data.catalog import MetadataCatalog
from ..host import logger_of, refuse
from ..structures import Instances
from ..utils import comm
from ..utils.file_io import PathManager
from ..utils.logger import create_small_table
from .evaluator import DatasetEvaluator

METRICS = ("AP", "AP50", "AP75", "APs", "APm", "APl")


def instances_to_coco_json(instances: Instances, img_id: int) -> list[dict]:
    """Detections of an image, on the CPU, in COCO's result format.

    Boxes are x, y, w, h; ``pred_masks`` (N, H, W), if any, become run lengths as text.
    """
    boxes = instances.pred_boxes.tensor.clone()
    boxes[:, 2:] -= boxes[:, :2]
    columns = (instances.pred_classes.tolist(), boxes.tolist(), instances.scores.tolist())
    found: list[dict[str, Any]] = [
        {"image_id": img_id, "category_id": label, "bbox": box, "score": score}
        for label, box, score in zip(*columns, strict=True)
    ]
    if instances.has("pred_masks"):
        from pycocotools import mask

        for detection, pixels in zip(found, instances.pred_masks, strict=True):
            rle = mask.encode(np.asfortranarray(np.asarray(pixels, dtype=np.uint8)))
            detection["segmentation"] = {**rle, "counts": rle["counts"].decode("ascii")}
    return found


class COCOEvaluator(DatasetEvaluator):
    """AP of boxes and masks by COCO's rules, in [0, 100]; NaN where it cannot be computed."""

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
            tasks: of "bbox" and "segm"; None: boxes, and masks where the predictions have them.
            distributed: gather the predictions of all processes and evaluate in the main one.
            output_dir: folder for ``instances_predictions.pth`` and
                ``coco_instances_results.json``; None writes neither.
            max_dets_per_image: AP counts that many detections of an image and category; 100 by
                COCO's rules.
            use_fast_impl: count by faster-coco-eval in place of pycocotools.
            kpt_oks_sigmas: for keypoints, which are not evaluated here.
            allow_cached_coco: take the COCO file of an earlier run where one was written.

        Raises:
            NotImplementedError: ``tasks`` has something else than boxes and masks.
            ValueError: a COCO file has to be written and there is no ``output_dir``.
        """
        self._tasks = None if tasks is None else list(tasks)
        others = set(self._tasks or ()) - {"bbox", "segm"}
        refuse(f"tasks={sorted(others)} of COCOEvaluator, beside bbox and segm", others)
        self._logger = logger_of(__name__)
        self._distributed = distributed
        self._output_dir = output_dir
        self._use_fast_impl = use_fast_impl
        self._max_dets_per_image = [1, 10, max_dets_per_image or 100]
        self._metadata = MetadataCatalog.get(dataset_name)
        if not hasattr(self._metadata, "json_file"):
            from ..data.datasets.coco import convert_to_coco_json

            if output_dir is None:
                raise ValueError(
                    f"dataset {dataset_name!r} has no json_file in its metadata: give "
                    "COCOEvaluator an output_dir, where its records can be written in COCO format"
                )
            path = os.path.join(output_dir, f"{dataset_name}_coco_format.json")
            convert_to_coco_json(dataset_name, path, allow_cached=allow_cached_coco)
            self._metadata.json_file = path
        from pycocotools.coco import COCO

        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
            self._coco_api = COCO(PathManager.get_local_path(self._metadata.json_file))
        self._do_evaluation = "annotations" in self._coco_api.dataset  # test sets may have none

    def reset(self) -> None:
        self._predictions: list[dict] = []

    def process(self, inputs: list[dict], outputs: list[dict]) -> None:
        """Take note of the predictions for a batch.

        Args:
            inputs: records with ``image_id``.
            outputs: dicts with ``instances``, an :class:`Instances` with ``pred_boxes``,
                ``scores``, ``pred_classes`` and, if any, ``pred_masks`` (N, H, W) in the pixels
                of the original image.
        """
        for record, output in zip(inputs, outputs, strict=True):
            image_id = record["image_id"]
            found = instances_to_coco_json(output["instances"].to("cpu"), image_id)
            self._predictions.append({"image_id": image_id, "instances": found})

    def evaluate(self, img_ids: list[int] | None = None) -> dict:
        """Metrics by task, ``{"bbox": {"AP": ...}, ...}``, or ``{}`` outside the main process.

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
            path = os.path.join(self._output_dir, "instances_predictions.pth")
            with PathManager.open(path, "wb") as file:
                torch.save(predictions, file)

        self._results: OrderedDict[str, dict[str, float]] = OrderedDict()
        self._eval_predictions(predictions, img_ids=img_ids)
        return copy.deepcopy(self._results)  # so that a caller may change it

    def _eval_predictions(self, predictions: list[dict], img_ids: list[int] | None = None) -> None:
        """Fill ``self._results`` with the metrics of each task."""
        detections = [found for image in predictions for found in image["instances"]]
        to_contiguous = self._metadata.get("thing_dataset_id_to_contiguous_id")
        if to_contiguous is not None:
            to_dataset = {contiguous: category for category, contiguous in to_contiguous.items()}
            detections = [_with_dataset_id(found, to_dataset) for found in detections]
        if self._output_dir:
            path = os.path.join(self._output_dir, "coco_instances_results.json")
            self._logger.info("Saving results to %s", path)
            with PathManager.open(path, "w") as file:
                json.dump(detections, file)
        if not self._do_evaluation:
            self._logger.info("Annotations are not available for evaluation.")
            return
        class_names = self._metadata.get("thing_classes")
        for task in self._tasks or self._tasks_from_predictions(detections):
            coco_eval = self._count(detections, img_ids, task) if detections else None
            self._results[task] = self._derive_coco_results(coco_eval, task, class_names)

    def _tasks_from_predictions(self, predictions: list[dict]) -> list[str]:
        """Boxes, and masks where a detection has one."""
        masks = any("segmentation" in detection for detection in predictions)
        return ["bbox", "segm"] if masks else ["bbox"]

    def _count(self, detections: list[dict], img_ids: list[int] | None, task: str) -> Any:
        """The COCOeval after it has matched detections with ground truth and accumulated."""
        if self._use_fast_impl:
            from faster_coco_eval import COCOeval_faster as COCOeval
        else:
            from pycocotools.cocoeval import COCOeval
        if task == "segm":
            if any("segmentation" not in truth for truth in self._coco_api.anns.values()):
                raise KeyError(
                    f"{self._metadata.json_file} has annotations without 'segmentation': add them, "
                    "or evaluate boxes alone, COCOEvaluator(..., tasks=('bbox',))"
                )
            # where there is a box, COCO takes the area from it and not from the mask
            detections = [{k: v for k, v in each.items() if k != "bbox"} for each in detections]
        with contextlib.redirect_stdout(io.StringIO()):
            coco_eval = COCOeval(self._coco_api, self._coco_api.loadRes(detections), task)
            coco_eval.params.maxDets = self._max_dets_per_image
            if img_ids is not None:
                coco_eval.params.imgIds = list(img_ids)
            coco_eval.evaluate()
            coco_eval.accumulate()
        return coco_eval

    def _derive_coco_results(
        self, coco_eval: Any, iou_type: str, class_names: list[str] | None = None
    ) -> dict[str, float]:
        """Choose the numbers to report, and log them as tables.

        Args:
            coco_eval: COCOeval after ``accumulate``; None if there are no detections.
            iou_type: the task, for the log.
            class_names: adds ``AP-<name>`` for each, where there are at least two.
        """
        if coco_eval is None:
            self._logger.warning("No predictions from the model!")
            return dict.fromkeys(METRICS, float("nan"))
        # 10 IoU thresholds from 0.5, recall points, categories, 4 area ranges, limits. (COCOeval's
        # own summary insists on a limit of 100 detections.)
        precision = coco_eval.eval["precision"]
        overall = precision[..., 0, -1]
        chosen = (overall, overall[0], overall[5], *(precision[..., k, -1] for k in (1, 2, 3)))
        results = dict(zip(METRICS, map(_percent, chosen), strict=True))
        self._logger.info("Evaluation results for %s: \n%s", iou_type, create_small_table(results))
        if class_names is None or len(class_names) <= 1:
            return results
        assert len(class_names) == precision.shape[2], (
            f"{len(class_names)} class names for {precision.shape[2]} categories of the COCO file"
        )
        by_class = {name: _percent(overall[..., k]) for k, name in enumerate(class_names)}
        table = tabulate(by_class.items(), ["category", "AP"], tablefmt="pipe", floatfmt=".3f")
        self._logger.info("Per-category %s AP: \n%s", iou_type, table)
        return results | {f"AP-{name}": score for name, score in by_class.items()}


def _with_dataset_id(detection: dict, to_dataset: dict[int, int]) -> dict:
    """The detection with the data set's category id in place of 0 to K - 1."""
    label, count = detection["category_id"], len(to_dataset)
    assert label in to_dataset, (
        f"A prediction has class={label}, but the dataset only has {count} classes and predicted "
        f"class id should be in [0, {count - 1}]. Does the model have the number of classes of "
        "this data set?"
    )
    return {**detection, "category_id": to_dataset[label]}


def _percent(precision: np.ndarray) -> float:
    """Mean from [0, 1] in [0, 100], without the -1 of categories that have no ground truth."""
    known = precision[precision > -1]
    return float(known.mean() * 100) if known.size else float("nan")
