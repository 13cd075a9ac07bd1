"""Two-stage detectors.

Shapes: B images, C pixel channels, each image (C, H, W) with its own H and W, values 0 to 255.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ...config import CfgNode, configurable
from ...structures import Instances
from ...utils.events import get_event_storage
from ..backbone import Backbone, build_backbone
from ..proposal_generator import build_proposal_generator
from ..roi_heads import build_roi_heads
from .build import META_ARCH_REGISTRY
from .pixel_model import PixelModel, Records, rescale


@META_ARCH_REGISTRY.register()
class GeneralizedRCNN(PixelModel):
    """Backbone, then region proposals, then a head per region."""

    roi_heads: Any  # whatever the registry holds; only its forward methods are used

    @configurable
    def __init__(
        self,
        *,
        backbone: Backbone,
        proposal_generator: nn.Module | None,
        roi_heads: nn.Module,
        pixel_mean: Sequence[float],
        pixel_std: Sequence[float],
        input_format: str | None = None,
        vis_period: int = 0,
    ) -> None:
        """
        Args:
            backbone: images (B, C, H, W) to a dict of feature maps.
            proposal_generator: feature maps to proposals; None to take them from the records.
            roi_heads: features and proposals to detections.
            pixel_mean, pixel_std: one number a channel.
            input_format: meaning of the channels ("BGR", "RGB", ...), for pictures only.
            vis_period: write a training picture every so many iterations; 0 for never.
        """
        super().__init__()
        if vis_period > 0 and input_format is None:
            raise ValueError("vis_period > 0 needs input_format (INPUT.FORMAT) to draw images")
        self.backbone = backbone
        self.proposal_generator = proposal_generator
        self.roi_heads = roi_heads
        self.input_format = input_format
        self.vis_period = vis_period
        self.set_pixel_statistics(pixel_mean, pixel_std)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """Explicit arguments from a config."""
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
                `gt_boxes` and `gt_classes`; without a proposal generator "proposals"; for
                detections optionally "height" and "width", the size to report boxes in.

        Returns:
            A dict of scalar losses, or a list with a dict an image whose "instances" holds
            `pred_boxes`, `scores` and `pred_classes`, best first.
        """
        if not self.training:
            return self.inference(batched_inputs)
        images = self.preprocess_image(batched_inputs)
        targets = self.ground_truth(batched_inputs)
        features = self.backbone(images.tensor)
        losses: dict[str, torch.Tensor] = {}
        if self.proposal_generator is None:
            proposals = self._given_proposals(batched_inputs)
        else:
            proposals, proposal_losses = self.proposal_generator(images, features, targets)
            losses.update(proposal_losses)
        _, head_losses = self.roi_heads(images, features, proposals, targets)
        if self.vis_period > 0 and get_event_storage().iter % self.vis_period == 0:
            self.visualize_training(batched_inputs, proposals)
        return {**head_losses, **losses}

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
            if self.proposal_generator is None:
                proposals = self._given_proposals(batched_inputs)
            else:
                proposals, _ = self.proposal_generator(images, features, None)
            results, _ = self.roi_heads(images, features, proposals, None)
        if not do_postprocess:
            return results
        return self._postprocess(results, batched_inputs, images.image_sizes)

    def _given_proposals(self, batched_inputs: Records) -> list[Instances]:
        if "proposals" not in batched_inputs[0]:
            raise KeyError(
                "no 'proposals' in the input records: set MODEL.LOAD_PROPOSALS, or a "
                "MODEL.PROPOSAL_GENERATOR.NAME other than PrecomputedProposals"
            )
        return [record["proposals"].to(self.device) for record in batched_inputs]

    @staticmethod
    def _postprocess(
        instances: list[Instances], batched_inputs: Records, image_sizes: Sequence[Any]
    ) -> list[dict]:
        return rescale(instances, batched_inputs, image_sizes, "instances")

    def visualize_training(self, batched_inputs: Records, proposals: list[Instances]) -> None:
        """Put a picture of the first image into the event storage: truth left, proposals right.

        At most the 20 best proposals are drawn.
        """
        # Imported here: matplotlib is slow to import and rarely wanted.
        from ...data.detection_utils import convert_image_to_rgb
        from ...utils.visualizer import Visualizer

        record, candidates = batched_inputs[0], proposals[0]
        assert self.input_format is not None
        picture = convert_image_to_rgb(record["image"].permute(1, 2, 0), self.input_format)
        truth = record["instances"].gt_boxes
        best = candidates.proposal_boxes[:20].tensor.detach().cpu().numpy()
        panels = [
            Visualizer(picture, None).overlay_instances(boxes=boxes).get_image()
            for boxes in (truth, best)
        ]
        side_by_side = np.concatenate(panels, axis=1).transpose(2, 0, 1)
        name = "Left: GT bounding boxes;  Right: Predicted proposals"
        get_event_storage().put_image(name, side_by_side)


@META_ARCH_REGISTRY.register()
class ProposalNetwork(PixelModel):
    """Backbone and region proposals alone."""

    @configurable
    def __init__(
        self,
        *,
        backbone: Backbone,
        proposal_generator: nn.Module,
        pixel_mean: Sequence[float],
        pixel_std: Sequence[float],
    ) -> None:
        """Args: as those of :class:`GeneralizedRCNN`."""
        super().__init__()
        self.backbone = backbone
        self.proposal_generator = proposal_generator
        self.set_pixel_statistics(pixel_mean, pixel_std)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """Explicit arguments from a config."""
        backbone = build_backbone(cfg)
        return {
            "backbone": backbone,
            "proposal_generator": build_proposal_generator(cfg, backbone.output_shape()),
            "pixel_mean": cfg.MODEL.PIXEL_MEAN,
            "pixel_std": cfg.MODEL.PIXEL_STD,
        }

    def forward(self, batched_inputs: Records) -> dict[str, torch.Tensor] | list[dict]:
        """Losses in training mode; else a dict an image with "proposals".

        The proposals hold `proposal_boxes` and `objectness_logits`, rescaled like detections.
        """
        images = self.preprocess_image(batched_inputs)
        targets = self.ground_truth(batched_inputs)
        features = self.backbone(images.tensor)
        proposals, losses = self.proposal_generator(images, features, targets)
        if self.training:
            return losses
        return rescale(proposals, batched_inputs, images.image_sizes, "proposals")
