"""TinyCOCOEvaluator: Detectron2's COCOEvaluator for tiny objects, with the protocol as data."""

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np
from detectron2.data import MetadataCatalog
from detectron2.evaluation import COCOEvaluator
from detectron2.utils import comm

from d2freq.data.coco.check import check_coco
from d2freq.data.plain_copies import named_for_reading
from d2freq.errors import UserError
from d2freq.evaluation.coco.detections_file import write_detections
from d2freq.evaluation.coco.gather import Seen, join, merge
from d2freq.evaluation.coco.guard import DetectionError, Detections, GroundTruth, guard_detections
from d2freq.evaluation.coco.masks import encode
from d2freq.evaluation.coco.measure import check_truth, measure, read_truth
from d2freq.evaluation.coco.merge_tiles import (
    MERGED_FILE,
    check_merge,
    merge_on_originals,
    originals_json,
)
from d2freq.evaluation.protocols import Protocol, get_protocol
from d2freq.utils.notices import BRIEF

logger = logging.getLogger(__name__)

PREDICTIONS_FILE = "coco_instances_results.json"


class TinyCOCOEvaluator(COCOEvaluator):
    """AP, AR and oLRP of boxes, and of masks if a model gives them, under a tiny-object protocol.

    ``evaluate`` returns ``{"bbox": {...}, "segm": {...}}`` in percent, the keys of report.summary:
    AP, AP50, AP75, AP and AR of each size class (``APvt``, ``ARvt``...), AR at each limit
    (``AR@100``...), oLRP and its parts, ``AP-<category>``; NaN where there is no ground truth, 0
    where nothing was detected. Masks are counted as boxes are, by their own overlaps; an object's
    size is the ``area`` of its annotation, that of a detected mask its pixels, as in COCO.
    With ``output_dir`` it writes the detections that were measured (coco_instances_results.json,
    and coco_originals_results.json where tiles were merged) and the results with the protocol's
    name, its source and what was dropped or repaired (tiny_results.json, tiny_results_segm.json).

    Examples:
        >>> import json, tempfile
        >>> import torch
        >>> from pathlib import Path
        >>> from d2freq.data import register_coco
        >>> from d2freq.evaluation import TinyCOCOEvaluator
        >>> from detectron2.structures import Boxes, Instances
        >>> truth = {
        ...     "images": [{"id": 1, "file_name": "1.png", "height": 64, "width": 64}],
        ...     "categories": [{"id": 1, "name": "ship"}],
        ...     "annotations": [
        ...         {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0}
        ...         | {"bbox": [10, 10, 6, 6], "area": 36}
        ...     ],
        ... }
        >>> found = Instances((64, 64), pred_boxes=Boxes(torch.tensor([[10.0, 10, 16, 16]])))
        >>> found.scores, found.pred_classes = torch.tensor([0.9]), torch.tensor([0])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "ships.json"
        ...     _ = file.write_text(json.dumps(truth))
        ...     register_coco("ships_of_the_example", file, folder)
        ...     evaluator = TinyCOCOEvaluator("ships_of_the_example", distributed=False)
        >>> evaluator.process([{"image_id": 1}], [{"instances": found}])
        >>> results = evaluator.evaluate()["bbox"]
        >>> round(results["AP"], 1), round(results["APvt"], 1)
        (100.0, 100.0)
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
        originals: bool = False,
        merge: str = "nms",
        merge_iou: float = 0.5,
        allow_cached_coco: bool = True,
    ):
        """Load the ground truth of a registered data set.

        Args:
            dataset_name: its metadata has ``json_file``, or it is converted to COCO first.
            tasks: of "bbox" and "segm"; None: boxes, and masks where the model gives them and
                ``originals`` is off.
            distributed: gather the detections of all processes on the main one.
            output_dir: folder for the files; None writes nothing.
            protocol: a name of d2freq.evaluation.protocols, or a Protocol.
            strict: broken detections (NaN, negative sides) are an error instead of dropped.
            originals: the data set is tiles of larger images: take the detections back to those,
                merge them, and measure on the file ``originals_json`` of the metadata.
            merge, merge_iou: how, see d2freq.evaluation.coco.merge_tiles.merge.
            allow_cached_coco: reuse ground truth that Detectron2 has converted already.

        Raises:
            UserError: an unknown task, protocol or way to merge, ``originals`` for a data set
                that is not tiles, or for masks, which are not merged.
            DatasetError: the ground truth file is missing or faulty.
        """
        wanted = ("bbox", "segm") if tasks is None else tuple(tasks)
        if not wanted or set(wanted) - {"bbox", "segm"}:
            raise UserError(f"TinyCOCOEvaluator measures bbox and segm, not tasks={wanted}")
        if originals and tasks is not None and "segm" in wanted:
            raise UserError("masks of tiles are not merged: originals=True is for tasks=('bbox',)")
        check_merge(merge, merge_iou)
        self._protocol = get_protocol(protocol)
        self._strict = strict
        self._originals_json = originals_json(dataset_name) if originals else ""
        self._merge, self._merge_iou = merge, merge_iou
        try:
            with named_for_reading(dataset_name) as name:
                super().__init__(
                    name,
                    wanted,
                    distributed,
                    output_dir,
                    max_dets_per_image=self._protocol.max_dets[-1],
                    allow_cached_coco=allow_cached_coco,
                )
            self._metadata = MetadataCatalog.get(dataset_name)
        except (OSError, ValueError, KeyError, TypeError, AssertionError):
            _explain(dataset_name)
            raise
        self._dataset_name = dataset_name
        self._wanted = [task for task in wanted if task == "bbox" or not originals]
        self._needs_masks = tasks is not None and "segm" in wanted
        self.reset()

    def reset(self) -> None:
        """Forget all detections."""
        self._batches: list[Seen] = []

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
            scores = found.scores.detach().float().numpy()
            masks = None
            if "segm" in self._wanted and found.has("pred_masks"):
                masks = encode(found.pred_masks.numpy())
            elif self._needs_masks:
                raise UserError(
                    f"image {image['image_id']}: the model gives no masks to measure; set "
                    "MODEL.MASK_ON True, or measure boxes alone (tasks=('bbox',))"
                )
            classes = found.pred_classes.numpy()
            self._batches.append((image["image_id"], corners, scores, classes, masks))

    def evaluate(self, img_ids: Iterable[int] | None = None) -> dict[str, dict[str, float]]:
        """Measure what was processed; ``{}`` on all processes but the main one.

        Args:
            img_ids: measure on these images only; with ``originals`` these are ids of originals.
        """
        parts = [join(self._batches)]
        if self._distributed:
            comm.synchronize()
            parts = comm.gather(parts[0], dst=0)
            if not comm.is_main_process():
                return {}
        found = merge(parts)
        found = replace(found, category_id=self._category_ids(found.category_id))
        detections = guard_detections(found, self._truth, strict=self._strict)
        self._save(PREDICTIONS_FILE, detections)
        if "annotations" not in self._coco_api.dataset:
            logger.info("%s has no annotations: detections saved, no AP", self._dataset_name)
            return {}
        truth, name, merged = self._truth, self._dataset_name, None
        if self._originals_json:
            truth, name = self._original_truth, self._originals_json
            detections, merged = merge_on_originals(
                detections,
                self._coco_api.dataset,
                truth,
                method=self._merge,
                iou_threshold=self._merge_iou,
                name=self._dataset_name,
            )
            self._save(MERGED_FILE, detections)
        if img_ids is not None:
            truth = truth.select(img_ids)
            detections = detections.select(np.isin(detections.image_id, truth.image_ids))
        results = {}
        for task in self._wanted:
            if task == "segm" and detections.masks is None:
                continue
            found = detections.as_masks() if task == "segm" else detections.as_boxes()
            known = self._truth_of_masks(img_ids) if task == "segm" else truth
            measured = measure(known, found, self._protocol, name=name, merged=merged)
            logger.info("%s", measured.text, extra={BRIEF: measured.brief})
            if self._output_dir:
                measured.save(self._output_dir)
            results[task] = measured.results
        return results

    def _save(self, file_name: str, detections: Detections) -> None:
        if self._output_dir:
            os.makedirs(self._output_dir, exist_ok=True)
            write_detections(os.path.join(self._output_dir, file_name), detections)

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
                f"{len(backward)} classes (0 to {len(backward) - 1}); set the model's class count "
                "(MODEL.ROI_HEADS.NUM_CLASSES or MODEL.RETINANET.NUM_CLASSES) to that number"
            )
        table = np.array([backward.get(i, -1) for i in range(max(backward, default=-1) + 1)])
        return table.astype(np.int64)[classes] if len(classes) else classes.astype(np.int64)

    @cached_property
    def _truth(self) -> GroundTruth:
        """What the data set's file says; a file of images alone has no boxes."""
        data = {"annotations": [], **self._coco_api.dataset}
        return check_truth(data, self._protocol, self._source)

    def _truth_of_masks(self, img_ids: Iterable[int] | None) -> GroundTruth:
        truth = check_truth(self._coco_api.dataset, self._protocol, self._source, masks=True)
        return truth if img_ids is None else truth.select(img_ids)

    @property
    def _source(self) -> str:
        return self._metadata.get("json_file") or self._dataset_name

    @cached_property
    def _original_truth(self) -> GroundTruth:
        return read_truth(self._originals_json, self._protocol)


def _explain(dataset_name: str) -> None:
    """Raise the reason why the ground truth could not be read, if the file is to blame."""
    from d2freq.data.catalog import missing_files_error

    json_file = MetadataCatalog.get(dataset_name).get("json_file")
    if json_file:
        if not os.path.exists(json_file):
            raise missing_files_error(dataset_name, json_file)
        check_coco(json_file, images="none", allow_ignore=True).raise_if_faulty()
