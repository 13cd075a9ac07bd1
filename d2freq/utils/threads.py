"""Torch on one thread for a while: sums in one order, and no time lost on tiny matrices."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Within it torch's operators use one thread; what was set before comes back.

    Long sums are split between threads, so that their last bits depend on how many there are: files
    that have to be the same everywhere are computed in here.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
