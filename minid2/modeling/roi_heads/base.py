"""Which proposals train the second stage, and what class each has.

Shapes: B images; P proposals of an image before sampling, S after; M ground-truth objects; K
classes, where class K is the background.
"""

from __future__ import annotations

from typing import Any

import torch
from fvcore.common.registry import Registry
from torch import nn

from ...config import CfgNode, configurable
from ...structures import ImageList, Instances, pairwise_iou
from ...utils.events import get_event_storage
from ..matcher import Matcher
from ..proposal_generator.proposal_utils import add_ground_truth_to_proposals
from ..sampling import subsample_labels

ROI_HEADS_REGISTRY = Registry("ROI_HEADS")
ROI_HEADS_REGISTRY.__doc__ = """
Second stages by name. An entry is called with the config and the backbone's output shapes, and
returns a :class:`ROIHeads`, or a module with the same `forward`.
"""


def select_foreground_proposals(
    proposals: list[Instances], bg_label: int
) -> tuple[list[Instances], list[torch.Tensor]]:
    """Proposals of each image whose `gt_classes` is neither -1 nor the background.

    Returns:
        The selected `Instances`, and a boolean mask (S,) an image.
    """
    masks = [(p.gt_classes != -1) & (p.gt_classes != bg_label) for p in proposals]
    return [p[mask] for p, mask in zip(proposals, masks, strict=True)], masks


class ROIHeads(nn.Module):
    """Matches and samples proposals; subclasses say what to predict from them."""

    @configurable
    def __init__(
        self,
        *,
        num_classes: int,
        batch_size_per_image: int,
        positive_fraction: float,
        proposal_matcher: Matcher,
        proposal_append_gt: bool = True,
    ) -> None:
        """
        Args:
            num_classes: K, without the background.
            batch_size_per_image: S, proposals an image that enter the loss.
            positive_fraction: at most this part of them are objects.
            proposal_matcher: proposals to ground truth.
            proposal_append_gt: add the true boxes to the proposals in training.
        """
        super().__init__()
        self.num_classes = num_classes
        self.batch_size_per_image = batch_size_per_image
        self.positive_fraction = positive_fraction
        self.proposal_matcher = proposal_matcher
        self.proposal_append_gt = proposal_append_gt

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """Explicit arguments from a config."""
        keys = cfg.MODEL.ROI_HEADS
        return {
            "num_classes": keys.NUM_CLASSES,
            "batch_size_per_image": keys.BATCH_SIZE_PER_IMAGE,
            "positive_fraction": keys.POSITIVE_FRACTION,
            "proposal_matcher": Matcher(
                keys.IOU_THRESHOLDS, keys.IOU_LABELS, allow_low_quality_matches=False
            ),
            "proposal_append_gt": keys.PROPOSAL_APPEND_GT,
        }

    def _sample_proposals(
        self, matched_idxs: torch.Tensor, matched_labels: torch.Tensor, gt_classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw a training sample.

        Args:
            matched_idxs: (P,) index of the best object of each proposal.
            matched_labels: (P,) the matcher's verdict: 1 object, 0 background, -1 ignore.
            gt_classes: (M,) classes of the objects.

        Returns:
            Index (S,) of the drawn proposals, objects first, and their classes (S,).
        """
        if gt_classes.numel() == 0:
            classes = torch.full_like(matched_idxs, self.num_classes)
        else:
            classes = gt_classes[matched_idxs]
            classes[matched_labels == 0] = self.num_classes
            classes[matched_labels == -1] = -1
        objects, background = subsample_labels(
            classes, self.batch_size_per_image, self.positive_fraction, self.num_classes
        )
        drawn = torch.cat([objects, background])
        return drawn, classes[drawn]

    @torch.no_grad()
    def label_and_sample_proposals(
        self, proposals: list[Instances], targets: list[Instances]
    ) -> list[Instances]:
        """Match the proposals of each image and draw those that enter the loss.

        Args:
            proposals: B `Instances` with `proposal_boxes` and `objectness_logits`.
            targets: B `Instances` with `gt_boxes` and `gt_classes`.

        Returns:
            B `Instances` of S proposals with `gt_classes`, and on images with objects all other
            `gt_*` fields of the best object too (meaningless where the class is background).
        """
        if self.proposal_append_gt:
            proposals = add_ground_truth_to_proposals(targets, proposals)
        samples, object_counts, background_counts = [], [], []
        for candidates, truth in zip(proposals, targets, strict=True):
            overlaps = pairwise_iou(truth.gt_boxes, candidates.proposal_boxes)
            matches, verdicts = self.proposal_matcher(overlaps)
            drawn, classes = self._sample_proposals(matches, verdicts, truth.gt_classes)
            sample = candidates[drawn]
            sample.gt_classes = classes
            if len(truth) > 0:
                owners = matches[drawn]
                for name, value in truth.get_fields().items():
                    if name.startswith("gt_") and not sample.has(name):
                        sample.set(name, value[owners])
            background = int((classes == self.num_classes).sum())
            background_counts.append(background)
            object_counts.append(classes.numel() - background)
            samples.append(sample)
        storage = get_event_storage()
        images = max(len(samples), 1)
        storage.put_scalar("roi_head/num_fg_samples", sum(object_counts) / images)
        storage.put_scalar("roi_head/num_bg_samples", sum(background_counts) / images)
        return samples

    def forward(
        self,
        images: ImageList,
        features: dict[str, torch.Tensor],
        proposals: list[Instances],
        targets: list[Instances] | None = None,
    ) -> tuple[list[Instances], dict[str, torch.Tensor]]:
        """Losses or detections.

        Args:
            images: the batch.
            features: name to (B, C, H, W).
            proposals: B `Instances` with `proposal_boxes` and `objectness_logits`.
            targets: B `Instances` with `gt_boxes` and `gt_classes`, in training mode alone.

        Returns:
            B `Instances` (detections; in training mode the sampled proposals), and a dict of
            losses, empty in evaluation mode.
        """
        raise NotImplementedError
