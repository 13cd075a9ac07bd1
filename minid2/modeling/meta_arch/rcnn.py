"""The two-stage detector.

Shapes: B images, C pixel channels, each image (C, H, W) with its own H and W, values 0 to 255.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ...config import CfgNode, configurable
from ...structures import ImageList, Instances
from ..backbone import Backbone, build_backbone
from ..postprocessing import detector_postprocess
from ..proposal_generator import build_proposal_generator
from ..roi_heads import build_roi_heads
from .build import META_ARCH_REGISTRY

Records = list[dict[str, Any]]


@META_ARCH_REGISTRY.register()
class GeneralizedRCNN(nn.Module):
    """Backbone, then region proposals, then a head per region."""

    pixel_mean: torch.Tensor
    pixel_std: torch.Tensor
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
        super().__init__()
        if vis_period > 0:
            raise NotImplementedError("VIS_PERIOD: minid2 draws no training pictures; set it to 0")
        if len(pixel_mean) != len(pixel_std):
            raise ValueError(
                f"MODEL.PIXEL_MEAN has {len(pixel_mean)} channels, MODEL.PIXEL_STD {len(pixel_std)}"
            )
        self.backbone = backbone
        self.proposal_generator = proposal_generator
        self.roi_heads = roi_heads
        self.input_format = input_format
        for name, values in (("pixel_mean", pixel_mean), ("pixel_std", pixel_std)):
            # Not persistent: they belong to the config, so a checkpoint must not override them.
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1), persistent=False)

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

    @property
    def device(self) -> torch.device:
        """Where the model lies, and where `forward` brings its inputs."""
        return self.pixel_mean.device

    def forward(self, batched_inputs: Records) -> Any:
        """Losses in training mode, detections otherwise.

        Args:
            batched_inputs: one dict an image: "image" (C, H, W); in training "instances" with
                `gt_boxes` and `gt_classes`; for detections optionally "height" and "width", the
                size to report boxes in.

        Returns:
            A dict of scalar losses, or a list with a dict an image whose "instances" holds
            `pred_boxes`, `scores` and `pred_classes`, best first.
        """
        if not self.training:
            return self.inference(batched_inputs)
        if any("instances" not in record for record in batched_inputs):
            raise ValueError("training needs 'instances' in every record of the batch")
        images = self.preprocess_image(batched_inputs)
        targets = [record["instances"].to(self.device) for record in batched_inputs]
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
        outputs = []
        for found, record, size in zip(results, batched_inputs, images.image_sizes, strict=True):
            height, width = record.get("height", size[0]), record.get("width", size[1])
            outputs.append({"instances": detector_postprocess(found, height, width)})
        return outputs

    def preprocess_image(self, batched_inputs: Records) -> ImageList:
        """Normalise each image, then pad all to one size the backbone can take.

        Padding comes last, so that the border holds zeros, the mean colour.
        """
        images = [record["image"].to(self.device) for record in batched_inputs]
        return ImageList.from_tensors(
            [(image - self.pixel_mean) / self.pixel_std for image in images],
            self.backbone.size_divisibility,
            padding_constraints=self.backbone.padding_constraints,
        )
