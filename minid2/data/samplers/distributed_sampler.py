"""Index streams for training (endless) and inference (each index once), shared among processes.

All training samplers cut the same endless stream: it is drawn from one seed that every process
knows, and process r of W takes every W-th index from the r-th on.
"""

import math
from collections import Counter
from collections.abc import Iterator

import torch
from torch.utils.data import Sampler

from ...utils import comm


class _EndlessSampler(Sampler):
    """One epoch after another, forever; a subclass says what an epoch is."""

    def __init__(self, shuffle: bool, seed: int | None):
        self._shuffle = shuffle
        self._seed = int(comm.shared_random_seed() if seed is None else seed)
        self._rank = comm.get_rank()
        self._world_size = comm.get_world_size()

    def _epoch(self, generator: torch.Generator) -> torch.Tensor:
        """The indices of the next epoch, not yet shuffled."""
        raise NotImplementedError

    def _stream(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed)
        while True:
            epoch = self._epoch(generator)
            if self._shuffle:
                epoch = epoch[torch.randperm(len(epoch), generator=generator)]
            yield from epoch.tolist()

    def __iter__(self) -> Iterator[int]:
        for position, index in enumerate(self._stream()):
            if position % self._world_size == self._rank:
                yield index


class TrainingSampler(_EndlessSampler):
    """All indices in a new order each epoch, without end."""

    def __init__(self, size: int, shuffle: bool = True, seed: int | None = None):
        """Set up the stream.

        Args:
            size, shuffle: how many records there are, and whether to shuffle each epoch.
            seed: the same on all processes; None draws one and shares it among them.

        Raises:
            ValueError: ``size`` is not positive, so that the stream would hang.
        """
        if size <= 0:
            raise ValueError(f"TrainingSampler(size=) expects a positive int. Got {size}.")
        self._size = size
        super().__init__(shuffle, seed)

    def _epoch(self, generator: torch.Generator) -> torch.Tensor:
        return torch.arange(self._size)


class RepeatFactorTrainingSampler(_EndlessSampler):
    """Endless stream in which record i appears ``repeat_factors[i]`` times an epoch on average.

    For data sets with rare classes. The fraction of a factor is rounded up or down at random,
    anew each epoch.
    """

    def __init__(
        self, repeat_factors: torch.Tensor, *, shuffle: bool = True, seed: int | None = None
    ):
        """Set up the stream from (records,) floats; the rest as for :class:`TrainingSampler`."""
        super().__init__(shuffle, seed)
        self._whole = repeat_factors.trunc()
        self._fraction = repeat_factors - self._whole

    @staticmethod
    def repeat_factors_from_category_frequency(
        dataset_dicts: list[dict], repeat_thresh: float, sqrt: bool = True
    ) -> torch.Tensor:
        """LVIS's rule: a record repeats as its rarest class needs it to.

        The frequency f of a class is the share of records that hold it; its factor is
        max(1, t / f), or the square root of that; a record takes the largest among its classes.

        Args:
            dataset_dicts: records with "annotations".
            repeat_thresh, sqrt: t, and whether to take the square root.

        Returns (records,) float32, all at least 1.
        """
        classes = [{ann["category_id"] for ann in rec["annotations"]} for rec in dataset_dicts]
        holders = Counter(category for found in classes for category in found)
        factor = {}
        for category, count in holders.items():
            ratio = repeat_thresh / (count / len(dataset_dicts))
            factor[category] = max(1.0, math.sqrt(ratio) if sqrt else ratio)
        per_record = [max((factor[c] for c in found), default=1.0) for found in classes]
        return torch.tensor(per_record, dtype=torch.float32)

    def _epoch(self, generator: torch.Generator) -> torch.Tensor:
        round_up = torch.rand(len(self._fraction), generator=generator) < self._fraction
        times = (self._whole + round_up).long()
        return torch.arange(len(times)).repeat_interleave(times)


class InferenceSampler(Sampler):
    """Each index exactly once over all processes; neighbours stay on one process.

    Shares differ by one where the size is no multiple of the number of processes.
    """

    def __init__(self, size: int):
        """Take this process's share of ``size`` indices."""
        self._indices = self._get_local_indices(size, comm.get_world_size(), comm.get_rank())

    @staticmethod
    def _get_local_indices(total_size: int, world_size: int, rank: int) -> range:
        """The share of one of ``world_size`` processes."""
        share, rest = divmod(total_size, world_size)
        start = rank * share + min(rank, rest)
        return range(start, start + share + (rank < rest))

    def __iter__(self) -> Iterator[int]:
        return iter(self._indices)

    def __len__(self) -> int:
        return len(self._indices)
