"""Assignment of predictions to ground truth by a matrix of qualities.

Shapes: M ground-truth elements, N predictions.
"""

from collections.abc import Sequence

import torch

from ..structures import Boxes, pairwise_iou
from ..utils.memory import retry_if_cuda_oom


class Matcher:
    """Gives each prediction its best ground truth, and a label by how good that match is."""

    def __init__(
        self,
        thresholds: Sequence[float],
        labels: Sequence[int],
        allow_low_quality_matches: bool = False,
    ):
        """Keep the intervals and their labels.

        Args:
            thresholds: positive and ascending. A threshold belongs to the interval above it.
            labels: one more than thresholds, from the lowest interval up; 1 positive,
                0 negative, -1 ignored. ([0.3, 0.7], [0, -1, 1]): negative below 0.3, positive
                from 0.7, ignored between.
            allow_low_quality_matches: also label as positive the best predictions of each ground
                truth, however low their quality.

        Raises:
            ValueError: for lists that break these rules.
        """
        inner = list(thresholds)
        if any(value <= 0 for value in inner) or inner != sorted(inner):
            raise ValueError(f"Matcher thresholds are positive and ascending, got {inner}")
        if len(labels) != len(inner) + 1 or any(label not in (-1, 0, 1) for label in labels):
            raise ValueError(f"Matcher takes a label -1, 0 or 1 an interval, got {list(labels)}")
        self.thresholds = [-float("inf"), *inner, float("inf")]
        self.labels = list(labels)
        self.allow_low_quality_matches = allow_low_quality_matches

    def __call__(self, match_quality_matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Match by a matrix (M, N) of at least 0, such as IoU; M or N may be 0.

        Returns:
            matches: (N,) int64 in [0, M), the best ground truth; 0 where M is 0.
            match_labels: (N,) int8; that of the lowest interval where M is 0.
        """
        quality = match_quality_matrix
        if quality.numel() == 0:
            matches = quality.new_zeros(quality.shape[1], dtype=torch.int64)
            return matches, torch.full_like(matches, self.labels[0], dtype=torch.int8)
        if not bool(quality.min() >= 0):
            raise ValueError("Matcher takes qualities of at least 0; this matrix has less, or NaN")
        best, matches = quality.max(dim=0)
        borders = best.new_tensor(self.thresholds[1:-1])
        labels = torch.tensor(self.labels, dtype=torch.int8, device=best.device)
        match_labels = labels[torch.bucketize(best, borders, right=True)]
        if self.allow_low_quality_matches:
            # Only the label changes: the prediction stays with its own best ground truth, which
            # may be another one than that which it is (or ties for) the best of.
            best_of_truth = quality.amax(dim=1, keepdim=True)
            match_labels[(quality == best_of_truth).any(dim=0)] = 1
        return matches, match_labels


def match_by_iou(
    matcher: Matcher, truth: Boxes, anchors: Boxes
) -> tuple[torch.Tensor, torch.Tensor]:
    """What ``matcher`` says of M true boxes and N anchors, on the device of the true boxes.

    Their matrix, the largest of a training step, falls back to the CPU where memory is short.
    """
    overlaps = retry_if_cuda_oom(pairwise_iou)(truth, anchors)
    matches, labels = retry_if_cuda_oom(matcher)(overlaps)
    return matches.to(truth.device), labels.to(truth.device)


def classes_of_matches(
    gt_classes: torch.Tensor, matches: torch.Tensor, labels: torch.Tensor, background: int
) -> torch.Tensor:
    """(N,) classes out of those of the objects (M,), by what a :class:`Matcher` returned.

    Negatives, and all predictions on an image without objects, have the class ``background``,
    ignored ones -1.
    """
    if len(gt_classes) == 0:
        return torch.full_like(matches, background)
    classes = gt_classes[matches]
    classes[labels == 0] = background
    classes[labels == -1] = -1
    return classes


def boxes_of_matches(gt_boxes: Boxes, matches: torch.Tensor) -> torch.Tensor:
    """(N, 4) boxes of the objects matched; zeros on an image without objects."""
    boxes = gt_boxes.tensor
    return boxes[matches] if len(boxes) > 0 else boxes.new_zeros(len(matches), 4)
