"""The mask of each region: layers, loss, probabilities (Mask R-CNN, Sec. 3).

Shapes: N regions of all images together, C channels, S x S bins, M x M a mask, K classes.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from fvcore.common.registry import Registry
from fvcore.nn import weight_init
from torch import nn
from torch.nn import functional as F

from ...config import CfgNode, configurable
from ...host import refuse
from ...layers import Conv2d, ShapeSpec, cat
from ...structures import Instances
from ...utils.events import get_event_storage
from .box_head import conv_tower

ROI_MASK_HEAD_REGISTRY = Registry("ROI_MASK_HEAD")
"""Mask heads by name. An entry is called with the config and the shape of a pooled region, and
returns a module like :class:`BaseMaskRCNNHead`."""


def build_mask_head(cfg: CfgNode, input_shape: Any) -> nn.Module:
    """Build `MODEL.ROI_MASK_HEAD.NAME` for regions of `input_shape`."""
    return ROI_MASK_HEAD_REGISTRY.get(cfg.MODEL.ROI_MASK_HEAD.NAME)(cfg, input_shape)


def mask_rcnn_loss(
    pred_mask_logits: torch.Tensor, instances: list[Instances], vis_period: int = 0
) -> torch.Tensor:
    """Mean binary cross entropy of the masks of the true classes; 0 without regions.

    Args:
        pred_mask_logits: (N, K, M, M), or (N, 1, M, M) if one mask serves all classes.
        instances: objects alone, with `proposal_boxes`, `gt_classes` and `gt_masks`.
        vis_period: must be 0; minid2 draws no pictures of the training.

    Raises:
        AttributeError: ground truth has no masks.
    """
    refuse("VIS_PERIOD", vis_period)
    size = pred_mask_logits.shape[-1]
    assert pred_mask_logits.shape[-2] == size, f"masks must be square: {pred_mask_logits.shape}"
    present = [each for each in instances if len(each) > 0]
    if not present:
        return pred_mask_logits.sum() * 0
    truth = torch.cat(
        [each.gt_masks.crop_and_resize(each.proposal_boxes.tensor, size) for each in present]
    ).to(pred_mask_logits.device)
    logits = _of_class(pred_mask_logits, torch.cat([each.gt_classes for each in present]))
    _log_mask_stats(logits, truth)
    return F.binary_cross_entropy_with_logits(logits, truth.to(torch.float32))


def mask_rcnn_inference(pred_mask_logits: torch.Tensor, pred_instances: list[Instances]) -> None:
    """Add `pred_masks`, the probabilities (N_i, 1, M, M) of the predicted class, to each image.

    Args:
        pred_mask_logits: (N, K, M, M), or (N, 1, M, M) if one mask serves all classes.
        pred_instances: with `pred_classes`.
    """
    classes = cat([each.pred_classes for each in pred_instances])
    masks = _of_class(pred_mask_logits, classes).unsqueeze(1).sigmoid()
    # Not len(): that is always an int, and a trace would keep the number of its example.
    counts = [each.pred_classes.shape[0] for each in pred_instances]
    for each, found in zip(pred_instances, masks.split(counts), strict=True):
        each.pred_masks = found


def _of_class(logits: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """(N, M, M) out of (N, K, M, M)."""
    if logits.shape[1] == 1:
        return logits[:, 0]
    return logits[torch.arange(classes.shape[0], device=logits.device), classes]


def _log_mask_stats(logits: torch.Tensor, truth: torch.Tensor) -> None:
    """Write the share of pixels that are right, and of either kind the share that is wrong."""
    wrong = (logits > 0) != truth
    counts = torch.stack([wrong.sum(), (wrong & truth).sum(), truth.sum()])
    errors, misses, positive = counts.tolist()  # one transfer
    total = truth.numel()
    storage = get_event_storage()
    storage.put_scalar("mask_rcnn/accuracy", 1 - errors / max(total, 1))
    storage.put_scalar("mask_rcnn/false_positive", (errors - misses) / max(total - positive, 1))
    storage.put_scalar("mask_rcnn/false_negative", misses / max(positive, 1))


class BaseMaskRCNNHead(nn.Module):
    """Loss and probabilities of the logits that a subclass makes in `layers`."""

    @configurable
    def __init__(self, *, loss_weight: float = 1.0, vis_period: int = 0) -> None:
        """
        Args:
            loss_weight: factor of the loss.
            vis_period: must be 0; minid2 draws no pictures of the training.
        """
        super().__init__()
        refuse("VIS_PERIOD", vis_period)
        self.vis_period = vis_period
        self.loss_weight = loss_weight

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: Any) -> dict[str, Any]:
        return {"vis_period": cfg.VIS_PERIOD}

    def forward(self, x: Any, instances: list[Instances]) -> Any:
        """In training mode `{"loss_mask": ...}`, else the same instances with `pred_masks`.

        Args:
            x: features of the regions, (N, C, S, S).
            instances: what they show; see `mask_rcnn_loss` and `mask_rcnn_inference`.
        """
        logits = self.layers(x)
        if self.training:
            loss = mask_rcnn_loss(logits, instances, self.vis_period)
            return {"loss_mask": loss * self.loss_weight}
        mask_rcnn_inference(logits, instances)
        return instances

    def layers(self, x: Any) -> torch.Tensor:
        """Logits of features."""
        raise NotImplementedError(f"{type(self).__name__} has no layers()")


@ROI_MASK_HEAD_REGISTRY.register()
class MaskRCNNConvUpsampleHead(BaseMaskRCNNHead, nn.Sequential):  # type: ignore[misc]  # forward
    """3x3 convolutions, each with norm and ReLU, one that doubles the size, one 1x1 to masks."""

    @configurable
    def __init__(
        self,
        input_shape: ShapeSpec,
        *,
        num_classes: int,
        conv_dims: Sequence[int],
        conv_norm: str | Callable = "",
        **kwargs: Any,
    ) -> None:
        """
        Args:
            input_shape: shape of a pooled region, (C, S, S); masks have 2 S x 2 S.
            num_classes: K, without the background; 1 if one mask serves all classes.
            conv_dims: channels of the 3x3 convolutions and, last, of the one that upsamples.
            conv_norm: norm of the former; see `get_norm`.
            kwargs: arguments of :class:`BaseMaskRCNNHead`.
        """
        super().__init__(**kwargs)
        assert conv_dims, "conv_dims needs a width for the upsampling layer at least"
        assert input_shape.channels is not None
        width = input_shape.channels
        for number, block in enumerate(conv_tower(width, conv_dims[:-1], conv_norm), start=1):
            self.add_module(f"mask_fcn{number}", block)
            width = block.out_channels
        self.deconv = nn.ConvTranspose2d(width, conv_dims[-1], kernel_size=2, stride=2)
        self.deconv_relu = nn.ReLU()
        self.predictor = Conv2d(conv_dims[-1], num_classes, kernel_size=1)
        # After all are built: the order of random draws decides the weights of a seed.
        for layer in list(self.children())[:-1]:
            if not isinstance(layer, nn.ReLU):
                weight_init.c2_msra_fill(layer)
        nn.init.normal_(self.predictor.weight, std=0.001)
        nn.init.zeros_(self.predictor.bias)  # type: ignore[arg-type]  # it has one

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: ShapeSpec) -> dict[str, Any]:
        keys = cfg.MODEL.ROI_MASK_HEAD
        return {
            **super().from_config(cfg, input_shape),
            "input_shape": input_shape,
            "num_classes": 1 if keys.CLS_AGNOSTIC_MASK else cfg.MODEL.ROI_HEADS.NUM_CLASSES,
            "conv_dims": [keys.CONV_DIM] * (keys.NUM_CONV + 1),
            "conv_norm": keys.NORM,
        }

    def layers(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, K, 2 S, 2 S) of regions (N, C, S, S)."""
        return nn.Sequential.forward(self, x)
