"""Index streams for training (endless) and inference (each index once), shared among processes.

All training samplers cut the same endless stream: it is drawn from one seed that every process
knows, and process r of W takes every W-th index from the r-th on.
"""

import logging
import math
from collections import Counter
from collections.abc import Iterator

import torch
from torch.utils.data import Sampler

from ...utils import comm

logger = logging.getLogger(__name__)


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
        generator = torch.Generator()
        generator.manual_seed(self._seed)
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
            size: how many records the data set has.
            shuffle: whether to shuffle each epoch.
            seed: the same on all processes; None draws one and shares it among them.

        Raises:
            TypeError: ``size`` is no int.
            ValueError: ``size`` is not positive.
        """
        if not isinstance(size, int):
            raise TypeError(f"TrainingSampler(size=) expects an int. Got type {type(size)}.")
        if size <= 0:
            raise ValueError(f"TrainingSampler(size=) expects a positive int. Got {size}.")
        self._size = size
        logger.info("Training on a stream of %d records", size)
        super().__init__(shuffle, seed)

    def _epoch(self, generator: torch.Generator) -> torch.Tensor:
        return torch.arange(self._size)


class RandomSubsetTrainingSampler(TrainingSampler):
    """A :class:`TrainingSampler` over a random part of the indices, the same part each epoch."""

    def __init__(
        self,
        size: int,
        subset_ratio: float,
        shuffle: bool = True,
        seed_shuffle: int | None = None,
        seed_subset: int | None = None,
    ):
        """Choose the part.

        Args:
            size: how many records the data set has.
            subset_ratio: the share of them to train on, in (0, 1].
            shuffle: whether to shuffle each epoch.
            seed_shuffle: as ``seed`` of :class:`TrainingSampler`.
            seed_subset: likewise, for the choice of the part.

        Raises:
            ValueError: the ratio is out of range, or so small that nothing is left.
        """
        super().__init__(size=size, shuffle=shuffle, seed=seed_shuffle)
        keep = int(size * subset_ratio)
        if not 0.0 < subset_ratio <= 1.0 or keep == 0:
            raise ValueError(
                f"subset_ratio={subset_ratio} of {size} records leaves {keep}; "
                "it has to be in (0, 1] and keep at least one"
            )
        if seed_subset is None:
            seed_subset = comm.shared_random_seed()
        generator = torch.Generator()
        generator.manual_seed(int(seed_subset))
        self._subset = torch.randperm(size, generator=generator)[:keep]
        logger.info("of which %d, chosen at random, are used", keep)

    def _epoch(self, generator: torch.Generator) -> torch.Tensor:
        return self._subset


class RepeatFactorTrainingSampler(_EndlessSampler):
    """Endless stream in which record i appears ``repeat_factors[i]`` times an epoch on average.

    For data sets with rare classes. The fraction of a factor is rounded up or down at random,
    anew each epoch.
    """

    def __init__(
        self, repeat_factors: torch.Tensor, *, shuffle: bool = True, seed: int | None = None
    ):
        """Set up the stream.

        Args:
            repeat_factors: (records,) floats.
            shuffle: whether to shuffle each epoch.
            seed: as for :class:`TrainingSampler`.
        """
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
            repeat_thresh: t, the frequency below which a class is repeated.
            sqrt: whether to take the square root.

        Returns:
            (records,) float32, all at least 1.
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
        """Take this process's share.

        Args:
            size: how many records the data set has, at least 1.
        """
        if size <= 0:
            raise AssertionError(f"InferenceSampler needs a data set with records, got size={size}")
        share, rest = divmod(size, comm.get_world_size())
        rank = comm.get_rank()
        start = rank * share + min(rank, rest)
        self._indices = range(start, start + share + (rank < rest))

    def __iter__(self) -> Iterator[int]:
        return iter(self._indices)

    def __len__(self) -> int:
        return len(self._indices)
