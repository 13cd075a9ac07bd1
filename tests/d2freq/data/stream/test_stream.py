"""Loaders that know their position: the same data as Detectron2's, and exactly on from anywhere."""

import itertools
import logging
import random

import numpy as np
import pytest
import torch
from detectron2.data import MapDataset, build_detection_train_loader
from detectron2.data.common import AspectRatioGroupedDataset
from detectron2.data.samplers import RepeatFactorTrainingSampler, TrainingSampler
from torch.utils.data import DataLoader, IterableDataset, RandomSampler, WeightedRandomSampler

from d2freq.data.stream import ExactLoader, exact_loader
from d2freq.utils.random_states import pack_random_states, unpack_random_states

RECORDS = [dict(number=n, width=4 + n % 3, height=5) for n in range(17)]


class Noise:
    """A mapper that draws from every source, one of its own among them."""

    def __init__(self):
        self.own = np.random.default_rng(3)

    def __call__(self, record):
        drawn = (random.random(), np.random.rand(), torch.rand(()).item(), self.own.random())  # noqa: NPY002
        return {**record, "drawn": drawn}


class Tensors(torch.utils.data.Dataset):
    def __len__(self):
        return 23

    def __getitem__(self, index):
        return torch.tensor([float(index), np.random.rand()])  # noqa: NPY002


def detectron2(workers, grouping=True, batch=3, sampler=None, **options):
    return build_detection_train_loader(
        RECORDS,
        mapper=Noise(),
        sampler=sampler,
        total_batch_size=batch,
        aspect_ratio_grouping=grouping,
        num_workers=workers,
        **options,
    )


def repeated(workers):
    factors = torch.tensor([1.0, 2.5] * 8 + [1.3])
    return detectron2(workers, sampler=RepeatFactorTrainingSampler(factors, seed=5))


def stacked(workers):
    return MapDataset(detectron2(workers), lambda batch: [each["drawn"] for each in batch])


def plain(workers):
    return DataLoader(Tensors(), 4, shuffle=True, num_workers=workers)


def weighted(workers):
    sampler = WeightedRandomSampler([1.0, 3.0] * 11 + [2.0], 300)
    return DataLoader(Tensors(), 4, sampler=sampler, num_workers=workers)


def endless_random(workers):
    generator = torch.Generator().manual_seed(4)
    sampler = RandomSampler(Tensors(), replacement=True, num_samples=10**6, generator=generator)
    return DataLoader(Tensors(), 4, sampler=sampler, num_workers=workers)


LOADERS = {
    "grouped": detectron2,
    "not grouped": lambda workers: detectron2(workers, grouping=False),
    "seeded": lambda workers: detectron2(workers, sampler=TrainingSampler(17, seed=1)),
    "seed of the workers": lambda workers: detectron2(workers, grouping=False, seed=9),
    "repeated": repeated,
    "collated": stacked,
    "torch's": plain,
    "weighted": weighted,
    "with replacement": endless_random,
}
BATCHES = 5


def start(make, workers, seed=0):
    """As a process starts: its sources seeded, then the loader built."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)
    return make(workers)


def take(stream, count):
    """Batches; between them the model draws, as it does in training."""
    found = []
    for batch in itertools.islice(stream, count):
        plain = batch.tolist() if isinstance(batch, torch.Tensor) else batch
        found.append((plain, torch.rand(()).item(), np.random.rand()))  # noqa: NPY002
    return found


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("name", LOADERS)
def test_equal_to_the_loader_it_was_made_of_and_exact_from_every_position(name, workers):
    whole = take(iter(start(LOADERS[name], workers)), BATCHES)

    loader, reason = exact_loader(start(LOADERS[name], workers))
    assert isinstance(loader, ExactLoader) and reason == ""
    stream, seen, positions = iter(loader), [], []
    for _ in range(BATCHES):
        seen += take(stream, 1)
        positions.append((loader.state_dict(), pack_random_states()))
    assert seen == whole

    for used in (1, 2, 4) if workers < 3 else (4,):  # a process for each worker, each time
        # another seed, as of a run whose config has none
        resumed, _ = exact_loader(start(LOADERS[name], workers, seed=100))
        state, sources = positions[used - 1]
        resumed.load_state_dict(state)
        unpack_random_states(sources)
        stream = iter(resumed)
        assert take(stream, BATCHES - used) == whole[used:], used


def test_elements_that_wait_for_their_batch_are_part_of_the_position():
    loader, _ = exact_loader(start(detectron2, 2))
    stream = iter(loader)
    counts = set()
    for _ in range(8):
        next(stream)
        state = loader.state_dict()
        counts.add(len(state["waiting"]))
        assert all(each["states"].numel() > 5000 for each in state["waiting"])
    assert max(counts) in (1, 2)  # of batches of three, in two groups


def test_a_state_can_be_taken_of_a_run_that_was_itself_resumed():
    whole = take(iter(start(detectron2, 3)), 6)
    state, sources = None, b""
    for turn in range(6):
        loader, _ = exact_loader(start(detectron2, 3, seed=turn))
        if state:
            loader.load_state_dict(state)
            unpack_random_states(sources)
        assert take(iter(loader), 1) == whole[turn : turn + 1]
        state, sources = loader.state_dict(), pack_random_states()


def test_a_state_survives_a_checkpoint_that_runs_no_code(tmp_path):
    loader, _ = exact_loader(detectron2(2))
    next(iter(loader))
    torch.save(loader.state_dict(), tmp_path / "state.pth")
    read = torch.load(tmp_path / "state.pth", weights_only=True)
    assert read["turns"] == loader.state_dict()["turns"] and read["turns"] >= 3


def test_another_number_of_workers_or_another_order_is_said(caplog):
    loader, _ = exact_loader(start(detectron2, 0))
    take(iter(loader), 2)
    state = loader.state_dict()

    other, _ = exact_loader(start(detectron2, 1))
    other.load_state_dict(state)
    assert "workers 0 before and 1 now" in caplog.text
    assert len(take(iter(other), 2)) == 2

    caplog.clear()
    later, _ = exact_loader(start(detectron2, 1))
    later.load_state_dict(other.state_dict())
    take(iter(later), 1)
    # with as many workers as the last time it is exact again
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]

    reordered, _ = exact_loader(
        detectron2(0, sampler=RepeatFactorTrainingSampler(torch.full((17,), 2.0), seed=0))
    )
    reordered.load_state_dict(state)
    take(iter(reordered), 1)
    assert "the order of the records is another one" in caplog.text


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(9))


class WithState:
    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


@pytest.mark.parametrize(
    ("loader", "reason"),
    [
        (lambda: DataLoader(Stream(), 2), "Stream, is a stream"),
        (lambda: AspectRatioGroupedDataset(DataLoader(Stream(), None), 2), "is a stream"),
        (lambda: DataLoader(Tensors(), batch_size=None), "makes no batches"),
        (lambda: [1, 2], "list is neither"),
        (lambda: AspectRatioGroupedDataset([], 2), "AspectRatioGroupedDataset is neither"),
        (WithState, ""),
    ],
)
def test_what_cannot_be_taken_apart_stays_as_it_is(loader, reason):
    given = loader()
    found, said = exact_loader(given)
    assert found is given
    assert reason in said and bool(reason) == bool(said)
