"""Classes of regions without a regression of their boxes.

Shape shorthand: N regions of all images together, K classes; scores are (N, K + 1) with the
background last.
"""

from typing import Any

import torch
from detectron2.config import CfgNode, configurable
from detectron2.layers import ShapeSpec, cross_entropy
from detectron2.modeling.roi_heads.fast_rcnn import fast_rcnn_inference
from detectron2.structures import Instances
from torch import Tensor, nn

__all__ = ["BoxScoreLayer"]


class BoxScoreLayer(nn.Module):
    """One linear layer; it stands where Detectron2 has FastRCNNOutputLayers.

    Scores are thresholded and boxes suppressed as the proposals are.

    Args:
        input_shape: of a region's feature.
        num_classes: K, without the background.
        test_score_thresh, test_nms_thresh, test_topk_per_image: see FastRCNNOutputLayers.
    """

    @configurable
    def __init__(
        self,
        input_shape: ShapeSpec,
        *,
        num_classes: int,
        test_score_thresh: float = 0.0,
        test_nms_thresh: float = 0.5,
        test_topk_per_image: int = 100,
    ) -> None:
        super().__init__()
        width = input_shape.channels * (input_shape.height or 1) * (input_shape.width or 1)
        self.cls_score = nn.Linear(width, num_classes + 1)
        nn.init.normal_(self.cls_score.weight, std=0.01)
        nn.init.zeros_(self.cls_score.bias)
        self.num_classes = num_classes
        self.test_score_thresh = test_score_thresh
        self.test_nms_thresh = test_nms_thresh
        self.test_topk_per_image = test_topk_per_image

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: ShapeSpec) -> dict[str, Any]:
        """MODEL.ROI_HEADS' classes and thresholds, and TEST.DETECTIONS_PER_IMAGE."""
        heads = cfg.MODEL.ROI_HEADS
        return {
            "input_shape": input_shape,
            "num_classes": heads.NUM_CLASSES,
            "test_score_thresh": heads.SCORE_THRESH_TEST,
            "test_nms_thresh": heads.NMS_THRESH_TEST,
            "test_topk_per_image": cfg.TEST.DETECTIONS_PER_IMAGE,
        }

    def forward(self, x: Tensor) -> Tensor:
        """Scores (N, K + 1), before the softmax, of features (N, ...)."""
        return self.cls_score(x.flatten(1))

    def losses(self, scores: Tensor, proposals: list[Instances]) -> dict[str, Tensor]:
        """The mean cross entropy of proposals with `gt_classes`, "loss_cls"; 0 for none."""
        classes = torch.cat([each.gt_classes for each in proposals])
        return {"loss_cls": cross_entropy(scores, classes, reduction="mean")}

    def inference(
        self, scores: Tensor, proposals: list[Instances]
    ) -> tuple[list[Instances], list[Tensor]]:
        """Detections of each image, whose boxes are proposals, and the regions they came from."""
        boxes = [each.proposal_boxes.tensor for each in proposals]
        return fast_rcnn_inference(
            boxes,
            list(scores.softmax(dim=-1).split([box.shape[0] for box in boxes])),
            [each.image_size for each in proposals],
            self.test_score_thresh,
            self.test_nms_thresh,
            self.test_topk_per_image,
        )
