"""Batches of records that belong together."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from torch.utils.data import BatchSampler, Sampler


class GroupedBatchSampler(BatchSampler):
    """Batches whose elements are of one group, in the order in which they fill up."""

    def __init__(self, sampler: Sampler, group_ids: Sequence[Any], batch_size: int):
        """Wrap ``sampler``; ``group_ids[index]`` is the group of what it yields."""
        if not isinstance(sampler, Sampler):
            raise ValueError(f"sampler has to be a torch.utils.data.Sampler, got {sampler!r}")
        super().__init__(sampler, batch_size, drop_last=True)
        self.group_ids = group_ids

    def __iter__(self) -> Iterator[list[int]]:
        waiting: dict[Any, list[int]] = defaultdict(list)
        for index in self.sampler:
            group = waiting[self.group_ids[index]]
            group.append(index)
            if len(group) == self.batch_size:
                yield group.copy()
                group.clear()

    def __len__(self) -> int:
        raise TypeError("how many batches of one group there are, only counting can tell")
