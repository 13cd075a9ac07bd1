"""From the pixels that the model saw to the pixels that the user gave."""

import torch

from ..structures import Instances

__all__ = ["detector_postprocess"]

_UNKNOWN = ("pred_masks", "pred_keypoints")


def detector_postprocess(
    results: Instances, output_height: int, output_width: int, mask_threshold: float = 0.5
) -> Instances:
    """Scale detections to another image size, clip them, and drop those that vanish.

    Args:
        results: detections of one image, with ``pred_boxes`` or ``proposal_boxes``; its
            ``image_size`` is what the model saw.
        output_height: rows of the image that the detections are wanted for.
        output_width: its columns.
        mask_threshold: for masks, which are not supported.

    Returns:
        New Instances of that size; ``results`` stays as it is.

    Raises:
        ValueError: if there are no boxes.
        NotImplementedError: if there are masks or keypoints.
    """
    for field in _UNKNOWN:
        if results.has(field):
            raise NotImplementedError(f"minid2 cannot rescale {field}; install Detectron2 for them")
    name = next((n for n in ("pred_boxes", "proposal_boxes") if results.has(n)), None)
    if name is None:
        raise ValueError("detections to rescale have neither pred_boxes nor proposal_boxes")
    seen_height, seen_width = results.image_size
    scaled = Instances((output_height, output_width), **results.get_fields())
    boxes = scaled.get(name).clone()
    boxes.scale(_ratio(output_width, seen_width), _ratio(output_height, seen_height))
    boxes.clip(scaled.image_size)
    scaled.set(name, boxes)
    return scaled[boxes.nonempty()]


def _ratio(wanted: float | torch.Tensor, seen: float | torch.Tensor) -> float | torch.Tensor:
    """Quotient of two lengths; a tracer gives them as integer tensors."""
    return wanted.float() / seen if isinstance(wanted, torch.Tensor) else wanted / seen
