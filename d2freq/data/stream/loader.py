"""A loader whose position is what has been used up, not what its workers have fetched.

A checkpoint keeps how many requests were answered, the random states of each worker behind its
last one, and which elements wait for a batch of their aspect ratio. That is enough to draw,
augment and group on as if nothing had happened, without loading anything twice but those that
wait. Nothing is drawn otherwise than by the loader that it was made of.
"""

import itertools
import logging
import operator
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

from torch.utils.data import DataLoader

from d2freq.data.stream.bad_images import policy_of, refusal
from d2freq.data.stream.source import Part, Request, Source, as_bytes, as_tensor
from d2freq.utils.random_states import kept_random_states, pack_random_states, unpack_random_states

__all__ = ["ExactLoader"]

logger = logging.getLogger(__name__)


class ExactLoader:
    """Batches of a ``DataLoader``, with ``state_dict`` and ``load_state_dict``.

    Made by ``exact_loader``. After ``load_state_dict`` the next iteration goes on; it leaves the
    random states of this process as they are, since a checkpoint has them apart.

    Args:
        like: gives workers, pinning, collation and all else that a DataLoader is told.
        dataset: map-style, the mapper included.
        order: draws batches of indices, from the first on, each time it is called.
        sampler: what it draws from; seeds that it keeps as attributes belong to the position.
        group: from elements to batches, where the DataLoader gives single elements.
        outside: what stands around that.
        policy: one of POLICIES.

    Attributes:
        bad_images: how many pictures another one has taken the place of, in this process.
    """

    def __init__(
        self,
        like: DataLoader,
        dataset: Any,
        order: Callable[[], Iterator[tuple[int, ...]]],
        *,
        sampler: Any = None,
        group: Callable[[Any], Any] | None = None,
        outside: Sequence[Callable[[Any], Any]] = (),
        policy: str = "raise",
    ) -> None:
        self.bad_images = 0
        self._like = like
        self._order = order
        self._sampler = sampler
        self._group = group
        self._outside = outside
        self._policy = policy_of(policy)
        self._source = Source(
            dataset, like.collate_fn, policy=policy, keeps_before=group is not None
        )
        self._named: set[str] = set()  # faults that have been told
        self._resumed: dict[str, Any] | None = None
        self._start_anew()

    def __iter__(self) -> Iterator[Any]:
        saved, self._resumed = self._resumed, None
        self._start_anew()
        waiting: list[Any] = []
        with kept_random_states() if saved else nullcontext():
            if saved:
                self._go_back_to_start(saved)
            self._note_start()
            requests = _Requests(self._requests(saved))
            parts = iter(self._loader(requests))
            if saved:
                # a sampler may draw from the global sources too: now, as it did then
                requests.draw_first()
                waiting = self._take_up(saved)
        elements = self._elements(waiting, parts)
        if self._group is None:
            yield from elements
            return
        stream: Any = self._release(self._group(elements))
        for wrap in self._outside:
            stream = wrap(stream)
        yield from stream

    def state_dict(self) -> dict[str, Any]:
        """The position: numbers and tensors, about 10 KB and as much a worker and waiting element.

        It is that of the batches that have been handed out.
        """
        in_process = self._like.num_workers == 0
        return {
            "turns": self._turns,
            "crc": self._crc,
            "start": as_tensor(self._start),
            "generator": self._generator_start,
            "seeds": _seeds(self._sampler),
            "states": [
                as_tensor(s) for s in ([self._source.states()] if in_process else self._states)
            ],
            "waiting": [
                {"indices": list(indices), "states": as_tensor(before)}
                for _, indices, before in self._waiting.values()
            ],
            "layout": self._layout(),
            "bad_images": self.bad_images,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Have the next iteration go on from a position."""
        self._resumed = state
        self.bad_images = state["bad_images"]
        differing = [k for k, v in self._layout().items() if state["layout"].get(k) != v]
        if differing:
            old, new = state["layout"], self._layout()
            changes = ", ".join(f"{k} {old.get(k)} before and {new[k]} now" for k in differing)
            logger.warning(
                "The data go on from about where they were, but not exactly as without the "
                "interruption: %s",
                changes,
            )
            used = state["turns"] * old["batch"]
            self._resumed = {
                **state,
                "turns": used // new["batch"],
                "crc": None,
                "states": [],
                "waiting": [],
            }

    def _start_anew(self) -> None:
        self._turns, self._crc = 0, 0
        self._note_start()
        self._states = [b""] * self._like.num_workers
        # elements that no batch has taken yet, by identity
        self._waiting: dict[int, tuple[Any, tuple[int, ...], bytes]] = {}

    def _note_start(self) -> None:
        """What the seeds of samplers and workers are drawn from."""
        self._start = pack_random_states()
        generator = self._like.generator
        self._generator_start = None if generator is None else generator.get_state()

    def _layout(self) -> dict[str, int]:
        """What the order depends on beside the seeds."""
        size = self._like.batch_size
        return {
            "workers": self._like.num_workers,
            "batch": 1 if size is None else size,
            "records": len(self._source),
        }

    def _go_back_to_start(self, saved: dict[str, Any]) -> None:
        """Seeds of samplers and workers come from the states at the start of the whole run."""
        for name, value in saved["seeds"].items():
            setattr(self._sampler, name, value)
        if self._like.generator is not None and saved["generator"] is not None:
            self._like.generator.set_state(saved["generator"])
        unpack_random_states(as_bytes(saved["start"]))

    def _requests(self, saved: dict[str, Any] | None) -> Iterator[list[Request]]:
        draws = self._order()
        if saved:
            crc = 0
            for indices in itertools.islice(draws, saved["turns"]):
                crc = _crc(indices, crc)
            if saved["crc"] not in (None, crc):
                logger.warning(
                    "The data do not go on exactly as without the interruption: the order of the "
                    "records is another one than before (another seed, sampler or data set)"
                )
            self._crc = crc
            if self._like.num_workers and saved["states"]:
                first, workers = saved["turns"], self._like.num_workers
                # empty ones for the workers whose turn is over, so that each has its own numbers
                yield from [[Request(())]] * (first % workers)
                for turn, indices in zip(range(first, first + workers), draws, strict=False):
                    yield [Request(indices, as_bytes(saved["states"][turn % workers]))]
        for indices in draws:
            yield [Request(indices)]

    def _loader(self, requests: "_Requests") -> DataLoader:
        like: Any = self._like
        for_workers = {
            "prefetch_factor": like.prefetch_factor,
            "persistent_workers": like.persistent_workers,
            "multiprocessing_context": like.multiprocessing_context,
        }
        return DataLoader(
            self._source,
            batch_sampler=requests,  # type: ignore[arg-type]
            collate_fn=operator.itemgetter(0),
            num_workers=like.num_workers,
            pin_memory=like.pin_memory,
            timeout=like.timeout,
            worker_init_fn=like.worker_init_fn,
            generator=like.generator,
            **(for_workers if like.num_workers else {}),
        )

    def _take_up(self, saved: dict[str, Any]) -> list[Any]:
        """Stand where the position is; returns the elements that wait, loaded again."""
        self._turns = saved["turns"]
        states = [as_bytes(state) for state in saved["states"]]
        self._states = (states or self._states) if self._like.num_workers else []
        waiting = []
        for each in saved["waiting"]:
            part = self._source.load(Request(tuple(each["indices"]), as_bytes(each["states"])))
            if part.failure:
                raise refusal(part.failure)
            self._wait(part, as_bytes(each["states"]))
            waiting.append(part.batch)
        if states and not self._like.num_workers:
            self._source.set_states(states[0])  # of generators that the data set keeps
        return waiting

    def _elements(self, waiting: list[Any], parts: Iterator[Part]) -> Iterator[Any]:
        yield from waiting
        for part in parts:
            if not part.indices:
                continue
            if part.failure:
                raise refusal(part.failure)
            worker = self._turns % max(len(self._states), 1)
            # without, those that the worker was left in
            before = self._states[worker] if part.before is None and self._states else b""
            if part.before is not None:
                before = as_bytes(part.before)
            if part.after is not None:
                self._states[worker] = as_bytes(part.after)
            self._turns += 1
            self._crc = _crc(part.indices, self._crc)
            self._note(part.faults)
            if self._group is not None:
                self._wait(part, before)
            yield part.batch

    def _wait(self, part: Part, before: bytes) -> None:
        self._waiting[id(part.batch)] = part.batch, part.indices, before

    def _release(self, batches: Any) -> Iterator[Any]:
        for batch in batches:
            for element in batch:
                self._waiting.pop(id(element), None)
            yield batch

    def _note(self, faults: Sequence[str]) -> None:
        """Count pictures that were passed over, and name each once."""
        self.bad_images += len(faults)
        for fault in faults:
            if fault not in self._named:
                self._named.add(fault)
                level = logging.WARNING if self._policy == "warn" else logging.INFO
                logger.log(level, "Passed over, the next record takes its place: %s", fault)


class _Requests:
    """What torch takes for a batch sampler: each batch is one request."""

    def __init__(self, requests: Iterator[list[Request]]) -> None:
        self._requests = requests

    def __iter__(self) -> Iterator[list[Request]]:
        while True:
            request = next(self._requests, None)
            if request is None:
                return
            yield request

    def draw_first(self) -> None:
        """Draw the next request already."""
        first = next(self._requests, None)
        if first is not None:
            self._requests = itertools.chain([first], self._requests)


def _crc(indices: Sequence[int], before: int) -> int:
    return zlib.crc32(array("q", indices).tobytes(), before)


def _seeds(sampler: Any) -> dict[str, int]:
    """Seeds that a sampler keeps, such as one that Detectron2 has drawn where none was given."""
    items = getattr(sampler, "__dict__", {}).items()
    return {name: value for name, value in items if "seed" in name and type(value) is int}
