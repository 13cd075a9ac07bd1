"""Differences of two arms seed by seed: the same seed means the same crops in the same order."""

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Difference(NamedTuple):
    """Of paired runs.

    Attributes:
        seeds: that both arms have.
        values: a difference each.
        mean: of them.
        low, high: of Student's 95 % interval of the mean; None with fewer than two pairs.
    """

    seeds: list[int]
    values: list[float]
    mean: float
    low: float | None
    high: float | None

    @property
    def clear(self) -> bool:
        """Whether the interval leaves 0 out, of three pairs or more: two may agree by chance."""
        return len(self.values) > 2 and self.low * self.high > 0  # type: ignore[operator]


def difference(arm: Mapping[int, float], baseline: Mapping[int, float]) -> Difference | None:
    """``arm - baseline`` over the seeds that both have; None where there is no such seed."""
    seeds = sorted(set(arm) & set(baseline))
    if not seeds:
        return None
    values = [arm[seed] - baseline[seed] for seed in seeds]
    mean = statistics.mean(values)
    if len(values) < 2:
        return Difference(seeds, values, mean, None, None)
    from scipy.stats import t

    half = t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    return Difference(seeds, values, mean, mean - half, mean + half)


def pooled(differences: Sequence[Difference]) -> tuple[float, float, float] | None:
    """Mean over data sets, each of equal weight, and its 95 % interval; None below two data sets.

    The spread of each data set is its own, and degrees of freedom are Welch's and Satterthwaite's.
    A data set of one pair has no spread and is left out.
    """
    usable = [each for each in differences if len(each.values) > 1]
    if len(usable) < 2:
        return None
    from scipy.stats import t

    parts = [statistics.variance(each.values) / len(each.values) for each in usable]
    mean = statistics.mean(each.mean for each in usable)
    if not sum(parts):
        return mean, mean, mean
    below = sum(part**2 / (len(each.values) - 1) for part, each in zip(parts, usable, strict=True))
    half = t.ppf(0.975, sum(parts) ** 2 / below) * sum(parts) ** 0.5 / len(usable)
    return mean, mean - half, mean + half
