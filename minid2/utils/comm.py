"""Talk between the processes of a distributed run; every function also works without one."""

import functools
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

_local_group: Any = None  # the ranks of this machine


def _running() -> bool:
    return dist.is_available() and dist.is_initialized()


def get_world_size() -> int:
    """How many processes there are on all machines, 1 without a distributed run."""
    return dist.get_world_size() if _running() else 1


def get_rank() -> int:
    """This process among all, from 0."""
    return dist.get_rank() if _running() else 0


def is_main_process() -> bool:
    """Whether this is the process that writes files and logs."""
    return get_rank() == 0


def create_local_process_group(num_workers_per_machine: int) -> None:
    """Set up the group of this machine's processes; every process has to call it, once.

    Args:
        num_workers_per_machine: processes a machine; it has to divide the world size.
    """
    global _local_group
    for start in range(0, get_world_size(), num_workers_per_machine):
        ranks = range(start, start + num_workers_per_machine)
        group = dist.new_group(list(ranks))  # all processes take part in making every group
        if get_rank() in ranks:
            _local_group = group


def get_local_process_group() -> dist.ProcessGroup:
    """The group that :func:`create_local_process_group` made for this machine."""
    assert _local_group is not None, "start through engine.launch: there is no local process group"
    return _local_group


def get_local_rank() -> int:
    """This process among those of its machine, from 0."""
    return dist.get_rank(get_local_process_group()) if _running() else 0


def get_local_size() -> int:
    """How many processes this machine has."""
    return dist.get_world_size(get_local_process_group()) if _running() else 1


def synchronize() -> None:
    """Wait for all processes."""
    if get_world_size() == 1:
        return
    # without a device nccl guesses one from the rank, wrongly on a second machine
    nccl = dist.get_backend() == "nccl"
    dist.barrier(device_ids=[torch.cuda.current_device()] if nccl else None)


@functools.cache
def _object_group() -> Any:
    """A gloo group of all ranks: pickled objects need no GPU memory there."""
    return dist.new_group(backend="gloo") if dist.get_backend() == "nccl" else None


def all_gather(data: Any, group: dist.ProcessGroup | None = None) -> list[Any]:
    """Every process's picklable ``data``, in the order of ranks, on every process."""
    if get_world_size() == 1:
        return [data]
    group = group or _object_group()
    collected = [None] * dist.get_world_size(group)
    dist.all_gather_object(collected, data, group=group)
    return collected


def gather(data: Any, dst: int = 0, group: dist.ProcessGroup | None = None) -> list[Any]:
    """As :func:`all_gather` on rank ``dst``; an empty list on the others."""
    if get_world_size() == 1:
        return [data]
    group = group or _object_group()
    collected = [None] * dist.get_world_size(group) if get_rank() == dst else None
    dist.gather_object(data, collected, dst=dst, group=group)
    return collected or []


def shared_random_seed() -> int:
    """A random number below 2**31 that is the same everywhere; every process has to call it."""
    # The global generator: a seeded run is to draw the same seeds as on Detectron2.
    return all_gather(int(np.random.randint(2**31)))[0]  # noqa: NPY002
