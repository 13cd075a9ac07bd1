"""What there is on the images of a batch, in the units in which DINO says where it is."""

import logging
from typing import Any

import torch
from detectron2.structures import Instances
from torch import Tensor

from d2freq.errors import UserError
from d2freq.modeling.detectors.dino.boxes import from_corners

__all__ = ["ground_truth_of"]

logger = logging.getLogger(__name__)

_told_of_crowd: list[int] = []  # once a process, whatever the number of models


def ground_truth_of(
    records: list[dict[str, Any]], *, queries: int, device: torch.device
) -> tuple[list[Tensor], list[Tensor]]:
    """Classes and boxes of each image; a warning where there are more than queries for them.

    Args:
        records: with "instances": `gt_boxes`, XYXY in pixels of the image, and `gt_classes`.
        queries: of the model.
        device: where tensors are brought to.

    Returns:
        For each image classes (G,) int64, and boxes (G, 4), normalised centre, width and height.

    Raises:
        UserError: a record without "instances".
    """
    classes, boxes = [], []
    for number, record in enumerate(records):
        if "instances" not in record:
            raise UserError(
                f"DINO: record {number} of the batch ({record.get('file_name', 'no file_name')}"
                ") has no 'instances', which training needs, empty for an image without objects"
            )
        truth: Instances = record["instances"].to(device)
        height, width = truth.image_size
        whole = truth.gt_boxes.tensor.new_tensor([width, height, width, height])
        classes.append(truth.gt_classes)
        boxes.append(from_corners(truth.gt_boxes.tensor / whole))
    most = max(len(each) for each in boxes)
    if most > queries and not _told_of_crowd:
        _told_of_crowd.append(most)
        logger.warning(
            "an image has %d objects, and DINO %d queries: those beyond them are never "
            "learned. Set MODEL.DINO.NUM_QUERIES to as many as the fullest image has",
            *(most, queries),
        )
    return classes, boxes
