"""The width of a sensor's spot, from frames of targets that are not known either.

Shape shorthand: T frames, m pixels a side.

A wide spot may be one target or two close ones. Which it is, the criterion that chooses the number
of targets decides here, too: every width is tried with the number that suits it best. Frames with a
target apart from all others answer well; a group that is never resolved, in noise, does not.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from d2freq.errors import UserError
from d2freq.modeling.unmixing.decoding.decode import fit_frames
from d2freq.modeling.unmixing.decoding.joint.decode import Windows
from d2freq.modeling.unmixing.decoding.joint.state import JointFit, Knowledge
from d2freq.modeling.unmixing.decoding.search import STEPS
from d2freq.modeling.unmixing.decoding.state import Prior

__all__ = ["contradicting_width", "spot_width"]

WIDTHS = (0.3, 0.4, 0.5, 0.65, 0.85, 1.1, 1.5, 2.0)  # pixels; tried first
APART = 0.1  # share by which a given width may be off, and no word is said
SURE = 10.0  # of the criterion; that is evidence of e^5 to 1
ROUNDS = 9  # of the golden section about the best
GOLDEN = (math.sqrt(5) - 1) / 2


@torch.no_grad()
def spot_width(frames: Tensor, prior: Prior, *, frames_together: int = 5) -> float:
    """Standard deviation of the spot in pixels, between 0.3 and 2.

    Args:
        frames: (T, m, m) float64; those in the middle of the sequence are looked at.
        prior: its ``sigma`` is not read.
        frames_together: how many, at most.

    Raises:
        UserError: there is no target whose spot had a width.
    """
    best = _best_width(frames, prior, frames_together)
    if best is None:
        raise UserError(
            "no target stands out of the noise, so that the width of a spot is not known; give "
            "--sigma, or --crop a window with targets"
        )
    return math.exp(best[1])


@torch.no_grad()
def contradicting_width(frames: Tensor, prior: Prior, *, frames_together: int = 5) -> float | None:
    """The width that the frames show, where it is not ``prior.sigma`` beyond doubt; else None.

    It differs by more than a tenth, and explains the frames better by more than SURE of the
    criterion: a group that is not resolved, in noise, has no width that it tells, and stays silent.

    Args:
        frames: (T, m, m) float64; those in the middle of the sequence are looked at.
        prior: what was given.
        frames_together: how many, at most.
    """
    own = _middle(frames, frames_together)
    told = _criterion_of(own, prior)[0]
    near = [replace(prior, sigma=prior.sigma * (1 + by)) for by in (-APART, APART)]
    if min(_criterion_of(own, other)[0] for other in near) > told - SURE:
        return None  # what most sequences say, in a tenth of the time
    best = _best_width(frames, prior, frames_together)
    if best is None or told - best[0] <= SURE:
        return None
    width = math.exp(best[1])
    return width if abs(width / prior.sigma - 1) > APART else None


def _middle(frames: Tensor, frames_together: int) -> Tensor:
    length = min(frames_together, len(frames))
    first = (len(frames) - length) // 2
    return frames[first : first + length]


def _window(own: Tensor, prior: Prior) -> Windows:
    known = Knowledge.of(prior, len(own), degree=None, flicker=False, device=own.device)
    return Windows(own[None], known)


def _criterion_of(own: Tensor, prior: Prior) -> tuple[float, JointFit]:
    """Criterion of the best fit by the prior's width, and the fit."""
    grid = own.new_zeros(len(own), 3 * own.shape[-1], 3 * own.shape[-1])
    problem = _window(own, prior)
    fits = problem.explained(fit_frames(grid, own, prior, factor=3, threshold=1e-6))
    return float(problem.criterion(fits)), fits


def _best_width(frames: Tensor, prior: Prior, together: int) -> tuple[float, float] | None:
    """Least criterion and the logarithm of its width; None where there is no target."""
    own = _middle(frames, together)
    # by number of targets: criterion, place in WIDTHS, fit
    tried: dict[int, tuple[float, int, JointFit]] = {}
    for index, width in enumerate(WIDTHS):
        value, fits = _criterion_of(own, replace(prior, sigma=width))
        count = int(fits.active.sum())
        if count not in tried or value < tried[count][0]:
            tried[count] = value, index, fits
    if min(tried.values(), key=lambda one: one[0])[2].active.sum() == 0:
        return None
    which = torch.zeros(1, dtype=torch.int64, device=own.device)

    def value_of(log_width: float, start: JointFit) -> float:
        problem = _window(own, replace(prior, sigma=math.exp(log_width)))
        return float(problem.criterion(problem.fit(which, start, steps=STEPS, settled=1e-2)))

    # a width between those tried may explain all by fewer targets, so each number has its chance
    return min(_least(partial(value_of, start=fits), index) for _, index, fits in tried.values())


def _least(value_of: Callable[[float], float], index: int) -> tuple[float, float]:
    """The least value about a place in WIDTHS and the logarithm of its width: golden section."""
    low = math.log(WIDTHS[max(index - 1, 0)])
    high = math.log(WIDTHS[min(index + 1, len(WIDTHS) - 1)])
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = value_of(left), value_of(right)
    for _ in range(ROUNDS):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = value_of(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = value_of(right)
    return min((at_left, left), (at_right, right))
