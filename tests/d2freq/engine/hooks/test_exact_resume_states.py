"""What ExactResume keeps: of two processes, of modules, and what it says where something lacks."""

import multiprocessing
import os
import random
import signal

import numpy as np
import pytest
import torch
import torch.distributed as dist
from detectron2.data import build_detection_train_loader
from detectron2.engine import HookBase
from detectron2.utils import comm
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from d2freq.engine.hooks.exact_resume import ExactResume
from d2freq.engine.hooks.module_states import ModuleStates
from d2freq.engine.step import make_step

RECORDS = [dict(number=n, width=4 + n % 3, height=5) for n in range(17)]
STEPS = 8


class Draws(nn.Module):
    """Draws from every source, and has states that are in no state_dict."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 1)
        self.normaliser = 100.0
        self.threshold = 0.5
        self.own = torch.Generator().manual_seed(7)
        self.register_buffer("mean", torch.zeros(2), persistent=False)

    def forward(self, batch):
        seen = torch.tensor([[each["number"], each["drawn"]] for each in batch])
        self.normaliser = 0.9 * self.normaliser + len({each["number"] for each in batch})
        self.mean = 0.9 * self.mean + 0.1 * seen.mean(dim=0)
        noise = torch.rand(2) + torch.rand(2, generator=self.own) + random.random()
        return {"loss": (self.layer(seen - self.mean + noise) / self.normaliser).square().mean()}


def mapper(record):
    return {**record, "drawn": np.random.rand() + torch.rand(()).item()}  # noqa: NPY002


class Save(HookBase):
    """Saves what a checkpoint would have of the training, after every third iteration."""

    def __init__(self, exact, path):
        self.exact, self.path = exact, path

    def after_step(self):
        if (self.trainer.iter + 1) % 3 == 0 or self.trainer.iter + 1 == STEPS:
            self.exact.gather()
            if comm.is_main_process():
                model = self.trainer.model
                state = {
                    "trainer": self.trainer.state_dict(),
                    "model": getattr(model, "module", model).state_dict(),
                    "end": self.trainer.iter + 1 == STEPS,
                }
                torch.save(state, self.path)


class Kill(HookBase):
    def __init__(self, at, rank):
        self.at, self.rank = at, rank

    def before_step(self):
        if self.trainer.iter == self.at and comm.get_rank() == self.rank:
            os.kill(os.getpid(), signal.SIGKILL)


def train(path, *, kill_at=-1, workers=1):
    """A training of this process's share, from the file where there is one."""
    seed = 5 + comm.get_rank()
    random.seed(seed), np.random.seed(seed), torch.manual_seed(seed)  # noqa: NPY002
    model = Draws()
    if comm.get_world_size() > 1:
        model = DistributedDataParallel(model, broadcast_buffers=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    loader = build_detection_train_loader(
        RECORDS, mapper=mapper, total_batch_size=4, num_workers=workers
    )
    trainer = make_step(model, loader, optimizer, amp=False)
    exact = ExactResume(model, bad_images="raise")
    trainer.register_hooks([exact, Save(exact, path), Kill(kill_at, comm.get_world_size() - 1)])
    start = 0
    if path.exists():
        state = torch.load(path, weights_only=True)
        getattr(model, "module", model).load_state_dict(state["model"])
        trainer.load_state_dict(state["trainer"])
        start = trainer.iter + 1
    trainer.train(start, STEPS)


def in_two_processes(path, kill_at=-1):
    """Exit codes of two processes that train together."""
    store = path.with_name(f"{path.stem}{kill_at}{path.exists()}.store")

    def one(rank):
        torch.set_num_threads(1)
        dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
        train(path, kill_at=kill_at)
        dist.destroy_process_group()

    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=one, args=(rank,)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def content(path):
    """Everything of a checkpoint as plain values."""

    def plain(value):
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        if isinstance(value, list):
            return [plain(v) for v in value]
        return value.tolist() if isinstance(value, torch.Tensor) else value

    return plain(torch.load(path, weights_only=True))


def test_two_processes_one_of_which_is_killed(tmp_path):
    whole, killed = tmp_path / "whole.pth", tmp_path / "killed.pth"
    assert in_two_processes(whole) == [0, 0]
    codes = in_two_processes(killed, kill_at=5)
    assert codes[1] == -signal.SIGKILL and codes[0] != 0
    assert not content(killed)["end"]
    assert in_two_processes(killed) == [0, 0]
    assert content(killed) == content(whole)
    first, second = content(whole)["trainer"]["hooks"]["ExactResume"]["processes"]
    assert first["sources"] != second["sources"]


def test_another_number_of_processes_is_said(tmp_path, caplog):
    path = tmp_path / "a.pth"
    assert in_two_processes(path, kill_at=4) != [0, 0]
    train(path)
    assert "of a training with 2 processes, this one has 1" in caplog.text
    assert "not exactly as without the interruption" in caplog.text


def test_a_checkpoint_of_before_is_resumed_and_said_to_be_inexact(tmp_path, caplog):
    path = tmp_path / "a.pth"
    train(path)
    state = torch.load(path, weights_only=True)
    state["trainer"]["hooks"].clear()
    state["trainer"]["iteration"] = 4
    torch.save(state, path)
    caplog.clear()
    train(path)
    assert "no random states and no position in the data" in caplog.text
    assert content(path)["end"]


def test_a_loader_of_ones_own_is_said_to_be_inexact(tmp_path, caplog):
    model = Draws()
    batches = [[mapper(record) for record in RECORDS[:2]]] * 2
    trainer = make_step(model, batches, torch.optim.SGD(model.parameters(), lr=0.1), amp=False)
    trainer.register_hooks([ExactResume(model, bad_images="raise")])
    trainer.train(0, 2)
    assert "Resuming this training will not be exact" in caplog.text
    assert "list is neither Detectron2's train loader" in caplog.text


def test_what_modules_change_is_kept_and_what_the_config_sets_is_not():
    model = Draws()
    states = ModuleStates(model)
    model.normaliser, model.mean = 3.0, torch.ones(2)
    torch.rand(3, generator=model.own)
    state = states.state_dict()
    assert state["numbers"] == {"": {"normaliser": 3.0}}
    wanted = torch.rand(1, generator=model.own)

    other = Draws()
    other.threshold = 0.7  # the config of the resumed training
    resumed = ModuleStates(other)
    resumed.load_state_dict(state)
    assert (other.normaliser, other.threshold) == (3.0, 0.7)
    assert torch.equal(other.mean, torch.ones(2))
    assert torch.equal(torch.rand(1, generator=other.own), wanted)
    assert resumed.state_dict()["numbers"] == state["numbers"]


@pytest.mark.parametrize("spoil", ["normaliser", "mean"])
def test_without_them_it_would_not_be_exact(spoil, tmp_path):
    """The oracle of the tests above sees these states."""
    path, other = tmp_path / "a.pth", tmp_path / "b.pth"
    for each, at in ((path, -1), (other, 5)):
        process = multiprocessing.get_context("fork").Process(
            target=train, args=(each,), kwargs=dict(kill_at=at, workers=0)
        )
        process.start()
        process.join()
    state = torch.load(other, weights_only=True)
    modules = state["trainer"]["hooks"]["ExactResume"]["processes"][0]["modules"]
    (modules["numbers"][""] if spoil == "normaliser" else modules["buffers"]).clear()
    torch.save(state, other)
    train(other, workers=0)
    assert content(path)["model"] != content(other)["model"]
