"""From the pixels that the model saw to the pixels that the user gave."""

from ..structures import Instances


def detector_postprocess(
    results: Instances, output_height: int, output_width: int, mask_threshold: float = 0.5
) -> Instances:
    """Scale detections to another image size, clip them, and drop those that vanish.

    Args:
        results: detections of one image, with ``pred_boxes`` or ``proposal_boxes``; its
            ``image_size`` is what the model saw.
        output_height, output_width: size of the image that the detections are wanted for.
        mask_threshold: for masks, which minid2 does not have.

    Returns:
        New Instances of that size; ``results`` stays as it is.
    """
    seen_height, seen_width = results.image_size
    scaled = Instances((output_height, output_width), **results.get_fields())
    name = "pred_boxes" if results.has("pred_boxes") else "proposal_boxes"
    boxes = scaled.get(name).clone()
    boxes.scale(output_width / seen_width, output_height / seen_height)
    boxes.clip(scaled.image_size)
    scaled.set(name, boxes)
    return scaled[boxes.nonempty()]
