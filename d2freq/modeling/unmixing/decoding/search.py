"""The search over numbers of targets, of fits to single frames and to windows of them alike.

Shape shorthand: N fits, M trials of them.
"""

import math
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from d2freq.modeling.unmixing.decoding.hypotheses import Trials
from d2freq.modeling.unmixing.decoding.state import Fit

__all__ = ["Problem", "best_of_each", "search"]

STEPS, TRIAL_STEPS = 60, 15
HOPELESS = 50.0  # what a trial may be worse after its steps and still be finished

Own = TypeVar("Own", bound=Fit)


class Problem(Protocol, Generic[Own]):
    """What is fitted: frames, or windows of frames."""

    @property
    def pixels(self) -> int:
        """Of all frames of one fit."""

    @property
    def floor(self) -> float:
        """Residual in grey levels below which nothing is left to explain."""

    def fit(self, which: Tensor, start: Own, *, steps: int, settled: float) -> Own:
        """Fits of the frames ``which`` (M,) from these starts."""

    def criterion(self, fits: Own) -> Tensor:
        """(M,), the lower the better."""

    def trials(self, which: Tensor, fits: Own, where: Tensor) -> list[Trials[Own]]:
        """Other numbers of targets for ``fits`` of ``which``; more of them only ``where``."""


def search(problem: Problem[Own], fits: Own, *, settled: float) -> Own:
    """Try neighbouring numbers of targets until no fit's criterion falls."""
    pixels = problem.pixels
    busy = torch.arange(len(fits.active), device=fits.active.device)
    for _ in range(2 * fits.active.shape[1]):
        if not len(busy):
            break
        own = fits[busy]
        # a clean frame that is explained down to rounding cannot pay for another target
        open_ = own.objective > pixels * 2 * math.log(problem.floor) + 3 * math.log(pixels)
        trials = problem.trials(busy, own, open_)
        owner = torch.cat([trial.owner for trial in trials])
        tried = Fit.cat([trial.start for trial in trials])
        if not len(owner):
            break
        tried = problem.fit(busy[owner], tried, steps=TRIAL_STEPS, settled=0.01)
        value, before = problem.criterion(tried), problem.criterion(own)
        best = best_of_each(value, owner)
        best = best[value[best] < before[owner[best]] + HOPELESS]
        owner, tried = owner[best], tried[best]
        tried = problem.fit(busy[owner], tried, steps=STEPS, settled=settled)
        better = problem.criterion(tried) < before[owner] - 1e-6
        busy = busy[owner[better]]
        fits = fits.put(busy, tried[better])
    return fits


def best_of_each(values: Tensor, owner: Tensor) -> Tensor:
    """Indices of the lowest value of each owner, in the order of the owners."""
    order = values.argsort(dim=0, stable=True)
    order = order[owner[order].argsort(dim=0, stable=True)]
    sorted_owner = owner[order]
    first = torch.ones_like(sorted_owner, dtype=torch.bool)
    first[1:] = sorted_owner[1:] != sorted_owner[:-1]
    return order[first]
