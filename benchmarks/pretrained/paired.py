"""Differences of two arms seed by seed: the same seed means the same crops in the same order."""

import statistics
from collections.abc import Mapping
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
        """Whether the interval leaves 0 out."""
        return self.low is not None and self.high is not None and self.low * self.high > 0


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
