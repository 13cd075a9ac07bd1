"""Several explanations of a window, weighed: where a target is when noise leaves more than one.

Shape shorthand: N windows, W frames of each, m pixels a side, K slots, M further explanations.

The best fit is one maximum of the posterior, and close targets in noise often have two of nearly
the same height. Its own curvature knows nothing of the other one, so that the stated deviations
come out too small. Here each maximum that some frame's start leads to gets the share of the
posterior that Laplace's approximation gives it: its height times the volume under its parabola.
The estimate is the mean of all, its covariance that of the mixture, the distance of the maxima
included. All of them have as many targets as the best fit.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from d2freq.modeling.unmixing.decoding.confidence import PLANE
from d2freq.modeling.unmixing.decoding.joint.fit import fit, known_numbers
from d2freq.modeling.unmixing.decoding.joint.state import JointFit, Knowledge
from d2freq.modeling.unmixing.decoding.search import STEPS
from d2freq.modeling.unmixing.decoding.state import Fit

__all__ = ["Explanations", "explanations"]

SETTLED = 1e-3  # change of the objective at which a fit is done
HOPELESS = 40.0  # what an objective may be above the best one's: a share of exp(-20)
# Two fits are one explanation where targets are nearer to each other than so many deviations, root
# mean square: ends of one descent differ by a thirtieth of it, maxima by more than one.
APART = 0.5


class Explanations(NamedTuple):
    """What is known of the targets of N windows, in the slots of the best fits.

    Attributes:
        places: (N, W, K, 2), mean position in each frame, in pixels.
        covariances: (N, W, K, 2, 2), of these, in square pixels.
        levels: (N, W, K), mean intensities in grey levels.
        number: (N,) int64, explanations that were weighed.
    """

    places: Tensor
    covariances: Tensor
    levels: Tensor
    number: Tensor


@torch.no_grad()
def explanations(
    frames: Tensor, best: JointFit, tried: JointFit, owner: Tensor, knowledge: Knowledge
) -> Explanations:
    """Weigh the best fit of each window and what other starts led to.

    Args:
        frames: (N, W, m, m) float64.
        best: of each window.
        tried: rough fits from other starts, of any numbers of targets.
        owner: their windows, indices of ``frames``.
        knowledge: of the windows.
    """
    windows = len(frames)
    own = known_numbers(frames, best, knowledge)
    slots = best.active.shape[1]
    sure = own.covariance.diagonal(dim1=1, dim2=2)[:, : 2 * slots].unflatten(1, (2, slots)).mT
    near = tried.objective < best.objective[owner] + HOPELESS
    owner, tried = _others(tried[near], owner[near], best, sure)
    tried = fit(frames[owner], tried, knowledge, steps=STEPS, settled=SETTLED)
    owner, tried = _others(tried, owner, best, sure)
    once = _first_of_each(tried, owner, sure)
    owner, tried = owner[once], tried[once]
    every, fits, known = torch.arange(windows, device=owner.device), best, [own]
    if len(owner):
        every, fits = torch.cat([every, owner]), Fit.cat([best, tried])
        known.append(known_numbers(frames[owner], tried, knowledge))
    pixels = frames[0].numel()
    # planes of background are integrated out with the noise, which leaves so much of the exponent
    height = fits.objective * (1 - PLANE * frames.shape[1] / pixels)
    volume = torch.cat([torch.linalg.slogdet(one.covariance)[1] for one in known])
    weight = _shares((volume - height) / 2, every, windows)

    def mean(values: Tensor) -> Tensor:
        scaled = values * weight.view(-1, *[1] * (values.dim() - 1))
        return values.new_zeros(windows, *values.shape[1:]).index_add(0, every, scaled)

    places = fits.places(knowledge)
    middle = mean(places)
    off = places - middle[every]
    spread = torch.cat([one.positions for one in known]) + off[..., :, None] * off[..., None, :]
    number = torch.bincount(every, minlength=windows)
    return Explanations(middle, mean(spread), mean(fits.levels), number)


def _others(
    tried: JointFit, owner: Tensor, best: JointFit, sure: Tensor
) -> tuple[Tensor, JointFit]:
    """Windows and fits of those with the best fit's targets in other places, in its slots."""
    same = tried.active.sum(1) == best.active.sum(1)[owner]
    owner, tried = owner[same], tried[same]
    tried = tried.taken(_matched(best.positions[owner], best.active[owner], tried))
    apart = _distance(tried.positions - best.positions[owner], sure[owner], tried.active) > APART
    return owner[apart], tried[apart]


def _matched(places: Tensor, active: Tensor, fits: JointFit) -> Tensor:
    """Order of the slots of M fits in which they are nearest to ``places`` (M, K, 2), (M, K)."""
    from scipy.optimize import linear_sum_assignment  # takes time that import d2freq need not

    cost = torch.cdist(places, fits.positions).square()
    wrong = active[:, :, None] != fits.active[:, None, :]
    costs = cost.masked_fill(wrong, 1e9).cpu().numpy()
    rows = [torch.from_numpy(linear_sum_assignment(one)[1]) for one in costs]
    order = torch.stack(rows) if rows else torch.zeros(active.shape, dtype=torch.int64)
    return order.to(places.device)


def _distance(off: Tensor, variances: Tensor, active: Tensor) -> Tensor:
    """Root mean square in deviations, of (..., K, 2), (..., K, 2) and (..., K): (...)."""
    squares = (off.square() / variances).mean(-1) * active
    return (squares.sum(-1) / active.sum(-1).clamp(min=1)).sqrt()


def _first_of_each(fits: JointFit, owner: Tensor, sure: Tensor) -> Tensor:
    """Indices of the fits, none of which lies at a better one of the same window."""
    order = fits.objective.argsort(stable=True)
    order = order[owner[order].argsort(stable=True)]
    places, active, owner = fits.positions[order], fits.active[order], owner[order]
    keep = torch.ones_like(owner, dtype=torch.bool)
    most = int(torch.bincount(owner).max()) if len(owner) else 0
    for back in range(1, most):  # the better ones of a window stand before a fit
        off = places[back:] - places[:-back]
        near = _distance(off, sure[owner[back:]], active[back:]) <= APART
        keep[back:] &= ~(near & (owner[back:] == owner[:-back]))
    return order[keep]


def _shares(logarithms: Tensor, owner: Tensor, windows: int) -> Tensor:
    """exp(logarithms), divided by the sum of each owner."""
    highest = logarithms.new_full((windows,), -torch.inf)
    highest = highest.scatter_reduce(0, owner, logarithms, "amax")
    share = (logarithms - highest[owner]).exp()
    total = share.new_zeros(windows).index_add(0, owner, share)
    return share / total[owner]
