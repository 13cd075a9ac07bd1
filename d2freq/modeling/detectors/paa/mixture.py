"""Which of an object's candidates are positive: two Gaussians fitted to their losses.

Source: Kim and Lee, ECCV 2020, "Probabilistic Anchor Assignment with IoU Prediction for Object
Detection", Sec. 3.2 and Fig. 3 (c).

Shape shorthand: G objects, C candidates at most.

The fit is scikit-learn's GaussianMixture (its stopping rule, its floor of the variance), of all
objects at once: one of them after the other would take most of a step's time, and a trip to the CPU
for each.
"""

import math

import torch
from torch import Tensor

__all__ = ["foreground_of_mixture"]

TOLERANCE = 1e-3  # of the mean log likelihood; scikit-learn's default
VARIANCE_FLOOR = 1e-6  # scikit-learn's reg_covar
ROUNDS = 100  # scikit-learn's max_iter
SMALLEST_SHARE = 10 * torch.finfo(torch.float64).eps  # of a component without members


@torch.no_grad()
def foreground_of_mixture(losses: Tensor, there: Tensor) -> Tensor:
    """The candidates of each object that are positive.

    Two Gaussians start at the lowest and the highest loss, with variance 1 and equal weights, and
    are fitted by expectation maximisation. Candidates that belong rather to the first are the
    foreground. Those of it are positive whose loss is at most that of the one with the highest
    density under the whole mixture.

    Args:
        losses: (G, C), rising along a row; any value where there is none.
        there: (G, C) bool, a row's first places.

    Returns:
        (G, C) bool.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.detectors.paa import foreground_of_mixture
        >>> losses = torch.tensor([[0.5, 0.6, 0.7, 1.5, 2.0, 2.2]])
        >>> foreground_of_mixture(losses, torch.ones_like(losses, dtype=torch.bool)).tolist()
        [[True, True, False, False, False, False]]
    """
    if losses.numel() == 0:
        return there.clone()
    x = losses.double().where(there, losses.new_zeros((), dtype=torch.float64))
    means = torch.stack(
        [
            x.where(there, x.new_tensor(math.inf)).amin(1),
            x.where(there, -x.new_tensor(math.inf)).amax(1),
        ],
        dim=1,
    )
    variances, weights = torch.ones_like(means), torch.full_like(means, 0.5)
    bound = x.new_full((len(x),), -math.inf)
    count = there.sum(dim=1)
    going = count > 0
    for _ in range(ROUNDS):
        joint = _log_joint(x, means, variances, weights)  # (G, C, 2)
        density = joint.logsumexp(dim=2)
        reached = density.where(there, 0.0).sum(dim=1) / count.clamp(min=1)
        fitted = _fit(x, (joint - density[..., None]).exp() * there[..., None])
        means, variances, weights = (
            torch.where(going[:, None], new, old)
            for new, old in zip(fitted, (means, variances, weights), strict=True)
        )
        going = going & ~((reached - bound).abs() < TOLERANCE)
        bound = reached
        if not going.any():
            break
    joint = _log_joint(x, means, variances, weights)
    foreground = there & (joint[..., 0] >= joint[..., 1])
    density = joint.logsumexp(dim=2).where(foreground, -math.inf)
    top = density.amax(dim=1, keepdim=True)
    place = torch.arange(x.shape[1], device=x.device)
    peak = place.where(density == top, x.shape[1]).amin(dim=1, keepdim=True)
    return foreground & (place <= peak)


def _log_joint(x: Tensor, means: Tensor, variances: Tensor, weights: Tensor) -> Tensor:
    """(G, C, 2) log of weight times density of each component, each of whose numbers is (G, 2)."""
    squared = (x[..., None] - means[:, None]).square() / variances[:, None]
    scale = (2 * math.pi * variances).log()[:, None]
    return weights.log()[:, None] - (squared + scale) / 2


def _fit(x: Tensor, shares: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Means, variances and weights (G, 2) from the share (G, C, 2) of each candidate."""
    total = shares.sum(dim=1) + SMALLEST_SHARE
    means = (shares * x[..., None]).sum(dim=1) / total
    spread = (x[..., None] - means[:, None]).square()
    variances = (shares * spread).sum(dim=1) / total + VARIANCE_FLOOR
    return means, variances, total / total.sum(dim=1, keepdim=True)
