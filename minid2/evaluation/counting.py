"""COCO's counting of hits and misses for boxes, by pycocotools or its faster twin.

Arrays of the counting: T IoU thresholds, R recall points, K categories, A area ranges,
M limits on the detections an image.
"""

import contextlib
import io
import logging
from typing import Any

import numpy as np

__all__ = ["count_boxes", "quiet_coco", "summarize_boxes"]


def quiet_coco(make: Any, *args) -> Any:
    """Call a function of pycocotools; what it prints goes to the debug log."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        result = make(*args)
    logging.getLogger(__name__).debug("%s", said.getvalue().strip())
    return result


def count_boxes(
    coco_gt: Any,
    coco_results: list[dict],
    max_dets: list[int],
    use_fast_impl: bool = True,
    img_ids: list[int] | None = None,
) -> Any:
    """Match detections with ground truth and accumulate precision and recall.

    Args:
        coco_gt: ``pycocotools.coco.COCO`` of the ground truth.
        coco_results: detections in COCO's result format, at least one.
        max_dets: ascending limits on the detections of an image and category.
        use_fast_impl: count by faster-coco-eval, with the same result.
        img_ids: evaluate these images only.

    Returns:
        The COCOeval, with ``eval["precision"]`` (T, R, K, A, M), ``eval["recall"]`` (T, K, A, M),
        -1 where there is no ground truth, and the twelve ``stats`` of :func:`summarize_boxes`.
    """
    coco_dt = quiet_coco(coco_gt.loadRes, coco_results)
    if use_fast_impl:
        from faster_coco_eval import COCOeval_faster as COCOeval
    else:
        from pycocotools.cocoeval import COCOeval
    coco_eval = COCOeval(coco_gt, coco_dt, "bbox")
    coco_eval.params.maxDets = list(max_dets)
    if img_ids is not None:
        coco_eval.params.imgIds = list(img_ids)
    quiet_coco(coco_eval.evaluate)
    quiet_coco(coco_eval.accumulate)
    coco_eval.stats = summarize_boxes(coco_eval)
    return coco_eval


def summarize_boxes(coco_eval: Any) -> np.ndarray:
    """COCO's twelve numbers in [0, 1], -1 where there is no ground truth.

    AP, AP50, AP75, AP small, medium, large at the last limit; AR at each of three limits; AR
    small, medium, large at the last. (pycocotools' own summary insists on a limit of 100.)
    """
    precision, recall = coco_eval.eval["precision"], coco_eval.eval["recall"]
    at = [int(np.flatnonzero(np.isclose(coco_eval.params.iouThrs, t))[0]) for t in (0.5, 0.75)]
    return np.array(
        [
            _mean(precision[..., 0, -1]),
            *(_mean(precision[index, ..., 0, -1]) for index in at),
            *(_mean(precision[..., area, -1]) for area in (1, 2, 3)),
            *(_mean(recall[..., 0, limit]) for limit in (0, 1, 2)),
            *(_mean(recall[..., area, -1]) for area in (1, 2, 3)),
        ]
    )


def _mean(values: np.ndarray) -> float:
    known = values[values > -1]
    return float(known.mean()) if known.size else -1.0
