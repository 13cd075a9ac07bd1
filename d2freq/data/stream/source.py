"""The side of a loader that reads records: in a worker process, or in the trainer's own."""

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from detectron2.data import MapDataset
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from d2freq.data.augmentation.sample import BadPartner
from d2freq.data.stream.bad_images import describe_fault
from d2freq.utils.own_generators import OwnGenerators
from d2freq.utils.random_states import pack_random_states, unpack_random_states

__all__ = ["Part", "Request", "Source", "as_bytes", "as_tensor"]

LENGTH = struct.Struct("<I")
PARTNERS = 20  # times that mosaic and copy-paste may draw other pictures, where those are broken


def as_tensor(content: bytes) -> Tensor:
    """(N,) uint8, as a checkpoint takes it."""
    return torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else torch.zeros(0)


def as_bytes(tensor: Tensor) -> bytes:
    """The content of such a tensor."""
    return tensor.numpy().tobytes() if tensor.numel() else b""


class Request(NamedTuple):
    """Records to load at a time, and the random states to load them with; b"" for those there."""

    indices: tuple[int, ...]
    states: bytes = b""


class Part(NamedTuple):
    """What a request got.

    Attributes:
        batch: what the loader hands on.
        indices: those of the request.
        before: random states in which it was loaded, where the source keeps them and they are not
            those that the part before was left in.
        after: those that a worker was left in; none in the trainer's own process.
        faults: of pictures whose place others took.
        failure: of the picture that ends the training; "" where there is none.
    """

    batch: Any
    indices: tuple[int, ...]
    # uint8. Tensors go from process to process beside the pipe, and a pipe that is full keeps a
    # worker from ending where its trainer was killed
    before: Tensor | None = None
    after: Tensor | None = None
    faults: tuple[str, ...] = ()
    failure: str = ""


class _Unreadable(Exception):
    """A picture that ends the training."""


class Source(Dataset):
    """A map-style data set that answers requests, with its random states and past bad pictures.

    Args:
        dataset: index to element, the mapper included.
        collate: from a list of elements to what the loader hands on.
        policy: one of POLICIES.
        keeps_before: parts know the states that they were loaded in, to be loaded again.
    """

    def __init__(
        self, dataset: Any, collate: Callable[[list], Any], *, policy: str, keeps_before: bool
    ) -> None:
        self.dataset = dataset
        self.collate = collate
        self.policy = policy
        self.keeps_before = keeps_before
        self._after = b""
        self._own: OwnGenerators | None = None

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitems__(self, requests: list[Request]) -> list[Part]:
        return [self.load(request) for request in requests]

    def load(self, request: Request) -> Part:
        """Answer a request; one without indices gets an empty part."""
        if not request.indices:
            return Part(None, ())
        if request.states:
            self.set_states(request.states)
            self._after = request.states if get_worker_info() else b""
        in_worker = get_worker_info() is not None
        known = in_worker and self._after != b""
        before = as_tensor(self.states()) if self.keeps_before and not known else None
        faults: list[str] = []
        try:
            elements = [self._element(index, faults) for index in request.indices]
        except _Unreadable as error:  # told in words: torch would put a traceback in front
            return Part(None, request.indices, faults=tuple(faults), failure=str(error))
        batch = self.collate(elements)
        if not in_worker:
            return Part(batch, request.indices, before, None, tuple(faults))
        self._after = self.states()
        return Part(batch, request.indices, before, as_tensor(self._after), tuple(faults))

    def states(self) -> bytes:
        """Those of this process, and of the generators that the data set keeps for itself."""
        packed = pack_random_states()
        return LENGTH.pack(len(packed)) + packed + self._generators.pack()

    def set_states(self, states: bytes) -> None:
        """Go back to them."""
        (length,) = LENGTH.unpack_from(states)
        unpack_random_states(states[LENGTH.size : LENGTH.size + length])
        self._generators.unpack(states[LENGTH.size + length :])

    @property
    def _generators(self) -> OwnGenerators:
        if self._own is None:  # late: a generator would not survive the way to another process
            # that of MapDataset chooses another record where a mapper gives None
            self._own = OwnGenerators(self.dataset, skip=(MapDataset,))
        return self._own

    def _element(self, index: int, faults: list[str]) -> Any:
        """The element, or under a lenient policy the first that can be read behind it.

        A broken picture that an augmentation has drawn is passed over alone.
        """
        total = len(self.dataset)
        for step in range(total):
            place = (index + step) % total
            for _ in range(PARTNERS):
                try:
                    return self.dataset[place]
                except Exception as error:  # whatever a broken file makes Pillow or a mapper raise
                    drawn = isinstance(error, BadPartner)
                    record = error.record if isinstance(error, BadPartner) else self._record(place)
                    fault = describe_fault(record, error)
                    if not fault:
                        raise
                    if self.policy == "raise":
                        raise _Unreadable(fault) from error
                    faults.append(fault)
                    if not drawn:  # else its own picture is whole, and others may be drawn to it
                        break
        raise _Unreadable(f"none of the {total} pictures can be read, the first {faults[0]}")

    def _record(self, index: int) -> Any:
        """The record below the mapper, whatever the data sets around it are called."""
        dataset = self.dataset
        while isinstance(dataset, MapDataset):
            inner = [each for each in vars(dataset).values() if isinstance(each, Dataset | list)]
            if not inner:
                return None
            dataset = inner[0]
        return dataset[index]
