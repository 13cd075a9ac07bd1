"""From masks within regions to masks of the image.

Shapes: N objects, M x M a mask within its region, H x W the image.
"""

from typing import Any

import torch
from torch.nn import functional as F


def paste_masks_in_image(
    masks: torch.Tensor, boxes: Any, image_shape: tuple[int, int], threshold: float = 0.5
) -> torch.Tensor:
    """Stretch each mask over its box, bilinearly, and cut it at a threshold.

    One object at a time and no further than its box reaches, so that the peak of memory is the
    result itself, on any device.

    Args:
        masks: (N, M, M) in [0, 1].
        boxes: Boxes, or (N, 4) as XYXY in pixels of the image.
        image_shape: height, width.
        threshold: a pixel whose centre has at least this value belongs to the object; below 0
            the values themselves are wanted.

    Returns:
        (N, H, W) bool; for a negative threshold uint8, the values times 255. Without any mask
        uint8, as in Detectron2.
    """
    assert masks.shape[-1] == masks.shape[-2], f"masks have to be square, got {masks.shape}"
    height, width = image_shape
    if len(masks) == 0:
        return masks.new_empty((0, height, width), dtype=torch.uint8)
    corners = getattr(boxes, "tensor", boxes)
    assert len(corners) == len(masks), f"{len(corners)} boxes for {len(masks)} masks"
    kind = torch.bool if threshold >= 0 else torch.uint8
    result = torch.zeros(len(masks), height, width, dtype=kind, device=masks.device)
    limits = torch.tensor([width, height], device=corners.device)
    # A pixel more to each side: just outside its box a mask has not faded to 0 yet.
    first = (corners[:, :2].floor() - 1).clamp(min=0)
    last = torch.minimum(corners[:, 2:].ceil() + 1, limits)
    windows = torch.cat([first, last], dim=1).long().tolist()
    for mask, box, (x0, y0, x1, y1), image in zip(masks, corners, windows, result, strict=True):
        if x0 >= x1 or y0 >= y1:  # the box lies outside the image
            continue
        left, top, right, bottom = box
        x = torch.arange(x0, x1, device=box.device, dtype=torch.float32) + 0.5
        y = torch.arange(y0, y1, device=box.device, dtype=torch.float32) + 0.5
        x = (x - left) / (right - left) * 2 - 1
        y = (y - top) / (bottom - top) * 2 - 1
        grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
        # in float32, as half precision moves edges
        stretched = F.grid_sample(mask[None, None].float(), grid[None], align_corners=False)[0, 0]
        image[y0:y1, x0:x1] = stretched >= threshold if threshold >= 0 else stretched * 255
    return result
