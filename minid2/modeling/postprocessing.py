"""From the pixels that the model saw to the pixels that the user gave."""

import torch
from torch.nn import functional as F

from ..structures import Instances, ROIMasks


def detector_postprocess(
    results: Instances, output_height: int, output_width: int, mask_threshold: float = 0.5
) -> Instances:
    """Scale detections to another image size, clip them, drop those that vanish, paste masks.

    Args:
        results: detections of one image, with ``pred_boxes`` or ``proposal_boxes``; its
            ``image_size`` is what the model saw.
        output_height, output_width: size of the image that the detections are wanted for.
        mask_threshold: see :func:`paste_masks_in_image`.

    Returns:
        New Instances of that size; ``results`` stays as it is. ``pred_masks``, (N, 1, M, M) or
        ROIMasks before, are (N, output_height, output_width) bool.
    """
    seen_height, seen_width = results.image_size
    scaled = Instances((output_height, output_width), **results.get_fields())
    name = "pred_boxes" if results.has("pred_boxes") else "proposal_boxes"
    boxes = scaled.get(name).clone()
    boxes.scale(output_width / seen_width, output_height / seen_height)
    boxes.clip(scaled.image_size)
    scaled.set(name, boxes)
    scaled = scaled[boxes.nonempty()]
    if scaled.has("pred_masks"):
        masks = scaled.pred_masks
        regions = masks if isinstance(masks, ROIMasks) else ROIMasks(masks[:, 0])
        pasted = regions.to_bitmasks(scaled.get(name), output_height, output_width, mask_threshold)
        scaled.pred_masks = pasted.tensor
    return scaled


def sem_seg_postprocess(
    result: torch.Tensor, img_size: tuple[int, int], output_height: int, output_width: int
) -> torch.Tensor:
    """Cut scores (C, H, W) to ``img_size``, the image without its padding, and resize them.

    Returns:
        (C, output_height, output_width), bilinear.
    """
    inside = result[None, :, : img_size[0], : img_size[1]]
    size = (output_height, output_width)
    return F.interpolate(inside, size=size, mode="bilinear", align_corners=False)[0]
