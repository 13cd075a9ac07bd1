"""Detections in COCO's result format."""

from ..structures import Instances

__all__ = ["instances_to_coco_json"]


def instances_to_coco_json(instances: Instances, img_id: int) -> list[dict]:
    """Detections of an image, on the CPU, in COCO's result format (boxes as x, y, w, h)."""
    for field in ("pred_masks", "pred_keypoints"):
        if instances.has(field):
            raise NotImplementedError(f"minid2 does not evaluate {field}; the real Detectron2 does")
    boxes = instances.pred_boxes.tensor.clone()
    boxes[:, 2:] -= boxes[:, :2]
    return [
        {"image_id": img_id, "category_id": label, "bbox": box, "score": score}
        for box, score, label in zip(
            boxes.tolist(), instances.scores.tolist(), instances.pred_classes.tolist(), strict=True
        )
    ]
