"""The order in which batches of a sampler's indices arrive, as Detectron2's loaders have it.

Its workers each run the whole sampler and take their chunks of it; torch then asks them in turn.
Here one process draws the indices, so that it knows which ones have been used up.
"""

from collections import deque
from collections.abc import Iterable, Iterator

__all__ = ["in_worker_order"]


def in_worker_order(
    indices: Iterable[int], *, workers: int, chunk: int, batch: int
) -> Iterator[tuple[int, ...]]:
    """Batches of indices in the order of their arrival.

    The n-th batch comes from worker n modulo ``workers``, which takes its chunks one after another.

    Args:
        indices: of the sampler of this process.
        workers: loading processes; 0 is one stream.
        chunk: indices in a row that a worker takes.
        batch: indices that it loads at a time.

    Examples:
        >>> from itertools import islice
        >>> from d2freq.data.stream.order import in_worker_order
        >>> list(islice(in_worker_order(range(99), workers=2, chunk=2, batch=1), 6))
        [(0,), (2,), (1,), (3,), (4,), (6,)]
    """
    queues: list[deque[int]] = [deque() for _ in range(max(workers, 1))]
    stream = enumerate(indices)
    turn = 0
    while True:
        queue = queues[turn % len(queues)]
        while len(queue) < batch:
            position, index = next(stream, (-1, -1))
            if position < 0:
                return
            queues[position // chunk % len(queues)].append(int(index))
        yield tuple(queue.popleft() for _ in range(batch))
        turn += 1
