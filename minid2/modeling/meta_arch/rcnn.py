"""The two-stage detector.

Shapes: B images, C pixel channels, each image (C, H, W) with its own H and W, values 0 to 255.
"""

from collections.abc import Sequence
from typing import Any

from torch import nn

from ...config import CfgNode, configurable
from ...host import refuse
from ...structures import Instances
from ..backbone import Backbone, build_backbone
from ..proposal_generator import build_proposal_generator
from ..roi_heads import build_roi_heads
from .build import META_ARCH_REGISTRY
from .detector import Detector, Records


@META_ARCH_REGISTRY.register()
class GeneralizedRCNN(Detector):
    """Backbone, then region proposals, then a head per region."""

    roi_heads: Any  # whatever the registry holds; only its forward methods are used

    @configurable
    def __init__(
        self,
        *,
        backbone: Backbone,
        proposal_generator: nn.Module,
        roi_heads: nn.Module,
        pixel_mean: Sequence[float],
        pixel_std: Sequence[float],
        input_format: str | None = None,
        vis_period: int = 0,
    ) -> None:
        """
        Args:
            backbone: images (B, C, H, W) to a dict of feature maps.
            proposal_generator: feature maps to proposals.
            roi_heads: features and proposals to detections.
            pixel_mean, pixel_std: one number a channel.
            input_format: meaning of the channels ("BGR", "RGB", ...); only kept.
            vis_period: must be 0; minid2 draws no pictures of the training.
        """
        super().__init__(backbone, pixel_mean=pixel_mean, pixel_std=pixel_std)
        refuse("VIS_PERIOD", vis_period)
        self.proposal_generator = proposal_generator
        self.roi_heads = roi_heads
        self.input_format = input_format

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        backbone = build_backbone(cfg)
        shapes = backbone.output_shape()
        return {
            "backbone": backbone,
            "proposal_generator": build_proposal_generator(cfg, shapes),
            "roi_heads": build_roi_heads(cfg, shapes),
            "pixel_mean": cfg.MODEL.PIXEL_MEAN,
            "pixel_std": cfg.MODEL.PIXEL_STD,
            "input_format": cfg.INPUT.FORMAT,
            "vis_period": cfg.VIS_PERIOD,
        }

    def forward(self, batched_inputs: Records) -> Any:
        """Losses in training mode, detections otherwise.

        Args:
            batched_inputs: one dict an image: "image" (C, H, W); in training "instances" with
                `gt_boxes`, `gt_classes` and, with a mask head, `gt_masks`; for detections
                optionally "height" and "width", the size to report boxes and masks in.

        Returns:
            A dict of scalar losses, or a list with a dict an image whose "instances" holds
            `pred_boxes`, `scores` and `pred_classes`, and with masks `pred_masks`, best first.
        """
        if not self.training:
            return self.inference(batched_inputs)
        targets = self._ground_truth(batched_inputs)
        images = self.preprocess_image(batched_inputs)
        features = self.backbone(images.tensor)
        proposals, proposal_losses = self.proposal_generator(images, features, targets)
        _, head_losses = self.roi_heads(images, features, proposals, targets)
        return {**head_losses, **proposal_losses}

    def inference(
        self,
        batched_inputs: Records,
        detected_instances: list[Instances] | None = None,
        do_postprocess: bool = True,
    ) -> list[dict] | list[Instances]:
        """Detect, or only describe boxes that are known already.

        Args:
            batched_inputs: as in `forward`.
            detected_instances: an `Instances` an image with `pred_boxes` and `pred_classes`; the
                box stage is then skipped and only the other heads run.
            do_postprocess: rescale to the records' "height" and "width". If False, the raw
                `Instances`, in pixels of the network's input, are returned.
        """
        assert not self.training, "inference() is for evaluation mode; call model.eval() first"
        images = self.preprocess_image(batched_inputs)
        features = self.backbone(images.tensor)
        if detected_instances is not None:
            known = [boxes.to(self.device) for boxes in detected_instances]
            results = self.roi_heads.forward_with_given_boxes(features, known)
        else:
            proposals, _ = self.proposal_generator(images, features, None)
            results, _ = self.roi_heads(images, features, proposals, None)
        if not do_postprocess:
            return results
        return self._postprocess(results, batched_inputs, images.image_sizes)
