"""TinyCOCOEvaluator: Detectron2's COCOEvaluator for tiny objects, with the protocol as data."""

import logging
import os
from collections.abc import Iterable, Mapping
from functools import cached_property

import numpy as np
from detectron2.evaluation import COCOEvaluator
from detectron2.utils import comm

from d2freq.data.coco import check_coco
from d2freq.errors import UserError
from d2freq.evaluation.detections_file import write_detections
from d2freq.evaluation.guard import DetectionError, Detections, GroundTruth, guard_detections
from d2freq.evaluation.measure import check_truth, measure, read_truth
from d2freq.evaluation.protocols import Protocol, get_protocol
from d2freq.evaluation.tiles import MERGED_FILE, check_merge, merge_on_originals, originals_json

logger = logging.getLogger(__name__)

PREDICTIONS_FILE = "coco_instances_results.json"
REPEATED = "on an image that was processed before"


class TinyCOCOEvaluator(COCOEvaluator):
    """Box AP, AR and oLRP under a tiny-object protocol.

    ``evaluate`` returns ``{"bbox": {...}}`` in percent, the keys of report.summary: AP, AP50, AP75,
    AP and AR of each size class (``APvt``, ``ARvt``...), AR at each limit (``AR@100``...), oLRP and
    its parts, ``AP-<category>``; NaN where there is no ground truth, 0 where nothing was detected.
    With ``output_dir`` it writes the detections that were measured (coco_instances_results.json,
    and coco_originals_results.json where tiles were merged) and the results with the protocol's
    name, its source and what was dropped or repaired (tiny_results.json).
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
            tasks: None or ("bbox",).
            distributed: gather the detections of all processes on the main one.
            output_dir: folder for the files; None writes nothing.
            protocol: a name in d2freq.evaluation.protocols, or a Protocol.
            strict: broken detections (NaN, negative sides) are an error instead of dropped.
            originals: the data set is tiles of larger images: take the detections back to those,
                merge them, and measure on the file ``originals_json`` of the metadata.
            merge, merge_iou: how, see d2freq.evaluation.tiles.merge.
            allow_cached_coco: reuse ground truth that Detectron2 has converted already.

        Raises:
            UserError: another task than bbox, an unknown protocol or way to merge, or
                ``originals`` for a data set that is not tiles.
            DatasetError: the ground truth file is missing or faulty.
        """
        if tasks is not None and set(tasks) != {"bbox"}:
            raise UserError(f"TinyCOCOEvaluator measures boxes only, not tasks={tuple(tasks)}")
        check_merge(merge, merge_iou)
        self._protocol = get_protocol(protocol)
        self._strict = strict
        self._originals_json = originals_json(dataset_name) if originals else ""
        self._merge, self._merge_iou = merge, merge_iou
        try:
            super().__init__(
                dataset_name,
                ("bbox",),
                distributed,
                output_dir,
                max_dets_per_image=self._protocol.max_dets[-1],
                allow_cached_coco=allow_cached_coco,
            )
        except (OSError, ValueError, KeyError, TypeError, AssertionError):
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
            img_ids: measure on these images only; with ``originals`` these are ids of originals.
        """
        parts = [_join(self._batches)]
        if self._distributed:
            comm.synchronize()
            parts = comm.gather(parts[0], dst=0)
            if not comm.is_main_process():
                return {}
        detections = guard_detections(self._gathered(parts), self._truth, strict=self._strict)
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
        measured = measure(truth, detections, self._protocol, name=name, merged=merged)
        logger.info(measured.text)
        if self._output_dir:
            measured.save(self._output_dir)
        return {"bbox": measured.results}

    def _gathered(self, parts: list[tuple[np.ndarray, ...]]) -> Detections:
        """The detections of all processes, of each image as it came first.

        Detectron2's InferenceSampler gives each image once, but samplers that pad the shares of
        the processes to one length give some again.
        """
        images, sizes, xywh, score, classes = map(np.concatenate, zip(*parts, strict=True))
        first = np.zeros(len(images), bool)
        first[np.unique(images, return_index=True)[1]] = True
        keep = np.repeat(first, sizes)
        found = Detections(
            np.repeat(images, sizes),
            self._category_ids(classes),
            xywh.astype(np.float64),
            score.astype(np.float64),
        )
        return found if keep.all() else found.select(keep, {REPEATED: int((~keep).sum())})

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
        name = self._metadata.get("json_file") or self._dataset_name
        return check_truth(data, self._protocol, name)

    @cached_property
    def _original_truth(self) -> GroundTruth:
        return read_truth(self._originals_json, self._protocol)


def _explain(dataset_name: str) -> None:
    """Raise the reason why the ground truth could not be read, if the file is to blame."""
    from detectron2.data import MetadataCatalog

    from d2freq.data.catalog import missing_files_error

    json_file = MetadataCatalog.get(dataset_name).get("json_file")
    if json_file:
        if not os.path.exists(json_file):
            raise missing_files_error(dataset_name, json_file)
        check_coco(json_file, images="none", allow_ignore=True).raise_if_faulty()


def _join(batches: list[tuple]) -> tuple[np.ndarray, ...]:
    """What one process saw of B images and N detections.

    Image ids (B,) and how many detections each has (B,), int64; then xywh (N, 4) and scores (N,),
    float32, and classes (N,), int64.
    """
    if not batches:
        none, flat = np.zeros(0, np.int64), np.zeros(0, np.float32)
        return none, none, flat.reshape(0, 4), flat, none
    image_ids, boxes, scores, classes = zip(*batches, strict=True)
    return (
        np.array(image_ids, np.int64),
        np.array([len(score) for score in scores], np.int64),
        np.concatenate(boxes),
        np.concatenate(scores),
        np.concatenate(classes).astype(np.int64),
    )
