"""Data sets that wrap data sets: lists, maps, index streams and groups by aspect ratio."""

import copy
import pickle
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from torch.utils.data import Dataset, IterableDataset, Sampler, get_worker_info

from ..host import logger_of
from ..utils.serialize import PicklableWrapper

logger = logger_of(__name__)


class _PickledList:
    """A list kept as one array of bytes.

    Python objects are copied into every worker process by reference counting alone; an array
    stays shared after a fork.
    """

    def __init__(self, items: Iterable[Any]):
        pickled = [pickle.dumps(item, protocol=-1) for item in items]
        self._ends = np.cumsum([len(data) for data in pickled], dtype=np.int64)
        self._bytes = np.frombuffer(b"".join(pickled), dtype=np.uint8)
        logger.info("%d records take %.2f MiB", len(pickled), self._bytes.size / 2**20)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> Any:
        position = range(len(self))[index]  # IndexError and negative indices as for a list
        start = self._ends[position - 1] if position else 0
        return pickle.loads(self._bytes[start : self._ends[position]].tobytes())


class DatasetFromList(Dataset):
    """A list as a map-style data set."""

    def __init__(self, lst: list, copy: bool = True, serialize: bool | Callable = True):
        """Keep the list.

        Args:
            lst: the records.
            copy: hand out deep copies, so that changing one does not change the list. Serialized
                records are copies anyway.
            serialize: keep the records as bytes, which worker processes share; or a function
                that turns the list into a sequence of its own.
        """
        make: Any = serialize if callable(serialize) else _PickledList
        self._records = make(lst) if serialize else lst
        self._copy = copy and not serialize

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, idx: int) -> Any:
        record = self._records[idx]
        return copy.deepcopy(record) if self._copy else record


class MapDataset(Dataset):
    """A data set with a function applied to every element; the function may return None to skip.

    Given an iterable data set, the result is one too, and skips. A map-style one tries another
    element at random instead.
    """

    def __new__(cls, dataset: Dataset, map_func: Callable[[Any], Any]):
        if isinstance(dataset, IterableDataset):
            return _MappedIterable(dataset, map_func)
        return super().__new__(cls)

    def __init__(self, dataset: Any, map_func: Callable[[Any], Any]):
        """Wrap ``dataset``; ``map_func`` is from an element to a new one, or None."""
        self._dataset = dataset
        self._map_func = PicklableWrapper(map_func)
        self._rng = random.Random(42)
        self._candidates = set(range(len(dataset)))

    def __reduce__(self):
        return MapDataset, (self._dataset, self._map_func)

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, idx: int) -> Any:
        current = int(idx)
        while True:
            mapped = self._map_func(self._dataset[current])
            if mapped is not None:
                self._candidates.add(current)
                return mapped
            self._candidates.discard(current)
            if not self._candidates:
                raise RuntimeError(f"the mapper returned None for all {len(self)} elements")
            current = self._rng.choice(sorted(self._candidates))


class _MappedIterable(IterableDataset):
    """:class:`MapDataset` for a stream."""

    def __init__(self, dataset: Any, map_func: Callable[[Any], Any]):
        self._dataset = dataset
        self._map_func = PicklableWrapper(map_func)

    def __len__(self) -> int:
        return len(self._dataset)

    def __iter__(self) -> Iterator[Any]:
        return (new for new in map(self._map_func, self._dataset) if new is not None)


class ToIterableDataset(IterableDataset):
    """A map-style data set, read in the order of a sampler.

    The sampler then runs inside the worker processes, so that an endless one needs no batch
    sampler in front.
    """

    def __init__(
        self,
        dataset: Dataset,
        sampler: Sampler,
        shard_sampler: bool = True,
        shard_chunk_size: int = 1,
    ):
        """Wrap.

        Args:
            dataset, sampler: map-style; a cheap source of indices, as every worker runs it all.
            shard_sampler: let each worker take its part of the indices. False for a sampler that
                already knows its worker.
            shard_chunk_size: how many indices in a row a worker takes; the batch size, so that a
                batch holds neighbours of the stream.
        """
        self.dataset = dataset
        self.sampler = sampler
        self.shard_sampler = shard_sampler
        self.shard_chunk_size = shard_chunk_size

    def __len__(self) -> int:
        return len(self.sampler)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info() if self.shard_sampler else None
        for position, index in enumerate(self.sampler):
            chunk = position // self.shard_chunk_size
            if worker is None or chunk % worker.num_workers == worker.id:
                yield self.dataset[index]


class AspectRatioGroupedDataset(IterableDataset):
    """Batches of wide images and batches of tall (or square) ones, in the order they fill up.

    Images of one orientation need less padding in one batch.
    """

    def __init__(self, dataset: Iterable[dict], batch_size: int):
        """Wrap ``dataset``, which yields dicts with "width" and "height"."""
        self.dataset = dataset
        self.batch_size = batch_size

    def __iter__(self) -> Iterator[list[dict]]:
        waiting: dict[bool, list[dict]] = {True: [], False: []}
        for element in self.dataset:
            wide = element["width"] > element["height"]
            waiting[wide].append(element)
            if len(waiting[wide]) == self.batch_size:
                yield waiting[wide]
                waiting[wide] = []
