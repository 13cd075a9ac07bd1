"""From ground truth and detections to maps of pixels, an image at a time.

H x W pixels of an image; boxes are (x, y, width, height) in pixels, masks COCO's run lengths.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np
from pycocotools import mask as coco_mask

from d2freq.evaluation.coco.guard import DetectionError, Detections, GroundTruth
from d2freq.evaluation.coco.masks import as_array, decode
from d2freq.evaluation.coco.matching import rank_in_image
from d2freq.evaluation.infrared.counting import ImageCount, count_image
from d2freq.evaluation.protocols.protocol import Protocol


def count_targets(
    truth: GroundTruth, detections: Detections, protocol: Protocol
) -> Iterator[ImageCount]:
    """The counts of each image, in the order of ids; by masks where the ground truth has them.

    What is found are the pixels of all detections above the protocol's score, of every class.

    Raises:
        DetectionError: a mask of another size than its image.
    """
    rule = protocol.targets
    assert rule is not None
    best = rank_in_image(detections) < protocol.max_dets[-1]
    detections = detections.select(best & (detections.score > rule.score))
    boxes, found = (_by_image(part.image_id, truth.image_ids) for part in (truth, detections))
    by_masks = truth.masks is not None
    for image, (width, height), own, seen in zip(
        truth.image_ids.tolist(), truth.image_wh.astype(int).tolist(), boxes, found, strict=True
    ):
        to_map = partial(_map, height=height, width=width, image=image)
        yield count_image(
            to_map(own, truth.xywh, truth.masks),
            to_map(seen, detections.xywh, detections.masks if by_masks else None),
            rule.distance,
        )


def _by_image(image_id: np.ndarray, image_ids: np.ndarray) -> list[np.ndarray]:
    """The rows of each image."""
    order = np.argsort(image_id, kind="stable")
    ends = [np.searchsorted(image_id, image_ids, side, sorter=order) for side in ("left", "right")]
    return [order[start:stop] for start, stop in zip(*ends, strict=True)]


def _map(
    rows: np.ndarray,
    xywh: np.ndarray,
    masks: np.ndarray | None,
    *,
    height: int,
    width: int,
    image: int,
) -> np.ndarray:
    """The pixels of some rows, (H, W) bool."""
    if masks is None or not len(rows):
        return fill_boxes(xywh[rows], height, width)
    masks = masks[rows]
    sizes = {tuple(mask["size"]) for mask in masks}
    if sizes != {(height, width)}:
        raise DetectionError(
            f"image {image} is {height} x {width} (height, width), a mask on it "
            f"{' x '.join(map(str, min(sizes - {(height, width)})))}: give masks of whole images"
        )
    return decode(as_array([coco_mask.merge(list(masks))]))[0]


def fill_boxes(xywh: np.ndarray, height: int, width: int) -> np.ndarray:
    """The pixels whose centres lie in any of the boxes (N, 4), (H, W) bool."""
    pixels = np.zeros((height, width), bool)
    ends = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
    for x0, y0, x1, y1 in np.maximum(np.ceil(ends - 0.5), 0).astype(int).tolist():
        pixels[y0:y1, x0:x1] = True
    return pixels
