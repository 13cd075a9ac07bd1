"""Random choice of the predictions that a loss sees."""

import torch


def subsample_labels(
    labels: torch.Tensor, num_samples: int, positive_fraction: float, bg_label: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw positives up to their share, then negatives to fill up.

    Args:
        labels: (N,); -1 is never drawn, ``bg_label`` is negative, all else positive.
        num_samples, positive_fraction: how many to draw in all; the largest share of positives.

    Returns:
        Indices of the positives and of the negatives drawn, int64. Together ``num_samples``, or
        fewer where there are not enough.
    """
    negative = torch.nonzero(labels == bg_label).flatten()
    positive = torch.nonzero((labels != bg_label) & (labels != -1)).flatten()

    def draw(candidates: torch.Tensor, count: int) -> torch.Tensor:
        order = torch.randperm(candidates.numel(), device=candidates.device)
        return candidates[order[:count]]

    # Both permutations are drawn whole, positives first: results depend on this order.
    chosen = draw(positive, int(num_samples * positive_fraction))
    return chosen, draw(negative, num_samples - chosen.numel())
