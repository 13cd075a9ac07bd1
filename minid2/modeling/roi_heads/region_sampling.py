"""Which regions of a training step become objects, and which background.

Shapes: B images; P proposals of an image before sampling, S after; M ground-truth objects; K
classes, where class K is the background.
"""

from typing import Any

import torch
from torch import nn

from ...config import CfgNode, configurable
from ...structures import Instances, pairwise_iou
from ...utils.events import get_event_storage
from ..matcher import Matcher, classes_of_matches
from ..proposal_generator.proposal_utils import add_ground_truth_to_proposals
from ..sampling import subsample_labels


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
            num_classes, batch_size_per_image: K, without the background; S, for the loss.
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
        keys = cfg.MODEL.ROI_HEADS
        return {
            "num_classes": keys.NUM_CLASSES,
            "batch_size_per_image": keys.BATCH_SIZE_PER_IMAGE,
            "positive_fraction": keys.POSITIVE_FRACTION,
            "proposal_matcher": Matcher(keys.IOU_THRESHOLDS, keys.IOU_LABELS),
            "proposal_append_gt": keys.PROPOSAL_APPEND_GT,
        }

    def _sample_proposals(
        self, matched_idxs: torch.Tensor, matched_labels: torch.Tensor, gt_classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw from the matcher's results (P,) and the classes (M,) of the objects.

        Returns:
            Index (S,) of the drawn proposals, objects first, and their classes (S,).
        """
        classes = classes_of_matches(gt_classes, matched_idxs, matched_labels, self.num_classes)
        objects, background = subsample_labels(
            classes, self.batch_size_per_image, self.positive_fraction, self.num_classes
        )
        drawn = torch.cat([objects, background])
        return drawn, classes[drawn]

    @torch.no_grad()
    def label_and_sample_proposals(
        self, proposals: list[Instances], targets: list[Instances]
    ) -> list[Instances]:
        """Match the proposals of each image and draw those that enter the loss; see `forward`.

        Returns:
            B `Instances` of S proposals with `gt_classes`, and on images with objects all other
            `gt_*` fields of the best object too (meaningless where the class is background).
        """
        if self.proposal_append_gt:
            proposals = add_ground_truth_to_proposals(targets, proposals)
        samples = []
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
            samples.append(sample)
        log_counts([sample.gt_classes != self.num_classes for sample in samples])
        return samples


def select_foreground_proposals(
    proposals: list[Instances], bg_label: int
) -> tuple[list[Instances], list[torch.Tensor]]:
    """The objects among the regions of B images with `gt_classes`.

    Args:
        proposals: regions; class -1 is neither object nor background.
        bg_label: class of the background.

    Returns:
        B `Instances` without the others, and which those are, (S,) bool an image.
    """
    kept = [(each.gt_classes != -1) & (each.gt_classes != bg_label) for each in proposals]
    return [each[keep] for each, keep in zip(proposals, kept, strict=True)], kept


def log_counts(is_object: list[torch.Tensor]) -> None:
    """Write how many objects and how much else the regions (N_i,) of an image hold in the mean."""
    joined = torch.cat(is_object)
    objects, images = int(joined.sum()), len(is_object)
    storage = get_event_storage()
    storage.put_scalar("roi_head/num_fg_samples", objects / images)
    storage.put_scalar("roi_head/num_bg_samples", (len(joined) - objects) / images)
