"""Events and their writers, the logger, seeds, files, and the talk between two processes."""

import json
import logging
import os
import pickle
import random
import types

import numpy as np
import pytest
import torch
import torch.multiprocessing
from torch.nn.parallel import DistributedDataParallel

from minid2.engine import create_ddp_model
from minid2.host import logger_of
from minid2.utils import comm
from minid2.utils.collect_env import collect_env_info
from minid2.utils.env import seed_all_rng
from minid2.utils.events import (
    CommonMetricPrinter,
    EventStorage,
    JSONWriter,
    TensorboardXWriter,
    get_event_storage,
    has_event_storage,
)
from minid2.utils.logger import create_small_table, log_first_n, setup_logger
from minid2.utils.registry import locate
from minid2.utils.serialize import PicklableWrapper


def test_storage_contexts_nest():
    with pytest.raises(AssertionError, match="EventStorage"):
        get_event_storage()
    with EventStorage(3) as outer:
        with pytest.raises(RuntimeError), EventStorage() as inner:
            assert get_event_storage() is inner
            raise RuntimeError
        assert get_event_storage() is outer and outer.iter == 3


def test_smoothing_is_a_median_over_iterations_not_over_values():
    with EventStorage() as storage:
        for iteration in range(40):
            storage.iter = iteration
            storage.put_scalars(loss=torch.tensor(float(iteration)), other=1)
            storage.put_scalar("lr", iteration, smoothing_hint=False)
            if iteration % 10 == 0:
                storage.put_scalar("rare", iteration)
        storage.put_scalar("x", 2, cur_iter=5)
        latest = storage.latest_with_smoothing_hint(20)
    assert latest["loss"] == (np.median(range(20, 40)), 39) and latest["lr"] == (39, 39)
    assert latest["rare"] == (25, 30)  # 20 and 30 lie in the last 20 iterations
    assert storage.latest()["x"] == (2, 5) and storage.count_samples("rare", 20) == 2
    assert storage.history("loss").global_avg() == pytest.approx(19.5)
    with pytest.raises(AssertionError, match="'lr'"):
        storage.put_scalar("lr", 1)
    with pytest.raises(KeyError, match="'nope'"):
        storage.history("nope")


def test_json_has_each_scalar_once(tmp_path):
    with EventStorage() as storage:
        writer = JSONWriter(str(tmp_path / "m.json"), window_size=1)
        for iteration in range(4):
            storage.iter = iteration
            storage.put_scalar("loss", iteration)
            if iteration == 1:
                storage.put_scalar("AP", 5.0, smoothing_hint=False)
            if iteration in (2, 3):
                writer.write()
        writer.write()
        writer.close()
    lines = [json.loads(line) for line in (tmp_path / "m.json").read_text().splitlines()]
    assert lines == [
        {"AP": 5.0, "iteration": 1},
        {"iteration": 2, "loss": 2.0},
        {"iteration": 3, "loss": 3.0},
    ]


def test_printer_tells_losses_and_the_time_left(caplog):
    with EventStorage() as storage, caplog.at_level(logging.INFO):
        printer = CommonMetricPrinter(max_iter=100, window_size=2)
        for iteration in range(10):
            storage.iter = iteration
            storage.put_scalars(loss_cls=iteration, time=60.0, data_time=0.5)
            storage.put_scalar("lr", 0.02, smoothing_hint=False)
        printer.write()
        assert storage.latest()["eta_seconds"] == (90 * 60, 9)
        storage.iter = 100
        printer.write()
    assert len(caplog.messages) == 1
    for part in ("eta: 1:30:00", "iter: 9", "loss_cls: 8.5", "time: 60.0000", "lr: 0.02"):
        assert part in caplog.messages[0]


def test_tensorboard_gets_scalars_and_images(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with EventStorage(7) as storage:
        writer = TensorboardXWriter(str(tmp_path))
        storage.put_scalar("loss", 2)
        storage.put_image("picture", torch.zeros(3, 4, 5))
        writer.write()
        writer.close()
        assert not storage._vis_data
    board = EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, event.value) for event in board.Scalars("loss")] == [(7, 2.0)]
    assert (board.Images("picture")[0].width, board.Images("picture")[0].height) == (5, 4)


@pytest.fixture
def clean_loggers():
    names = ("detectron2", "other")
    before = {
        name: (logging.getLogger(name).propagate, logging.getLogger(name).level) for name in names
    }
    yield
    for name in names:
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            handler.close()
            logger.removeHandler(handler)
        logger.propagate, logger.level = before[name]


def test_logger_prints_once_and_writes_a_file_for_each_rank(tmp_path, capsys, clean_loggers):
    for _ in range(2):
        setup_logger(str(tmp_path))
    setup_logger(str(tmp_path), distributed_rank=2, name="other")
    logger_of("minid2.engine").warning("from minid2")
    logging.getLogger("other").info("elsewhere")
    printed = capsys.readouterr().out
    assert printed.count("d2.engine]: from minid2") == 1 and "WARNING [" in printed
    assert "elsewhere" not in printed
    assert "\x1b[" not in printed  # no colours where no terminal is
    written = (tmp_path / "log.txt").read_text()
    assert written.count("d2.engine WARNING: from minid2") == 1
    assert "elsewhere" in (tmp_path / "log.txt.rank2").read_text()


def test_messages_that_come_once_for_a_line_a_text_or_both(caplog):
    caplog.set_level(logging.INFO)
    for text in ("first", "second", "first"):
        log_first_n(logging.INFO, f"line {text}")
        log_first_n(logging.INFO, f"text {text}", key="message")
        log_first_n(logging.WARNING, f"both {text}", n=2, name="other", key=("caller", "message"))
    assert [r.message for r in caplog.records] == [
        *("line first", "text first", "both first"),
        *("text second", "both second"),
        "both first",
    ]
    assert {r.name for r in caplog.records} == {__name__, "other"}


def test_the_time_left_is_told_without_a_timer(caplog, monkeypatch):
    caplog.set_level(logging.INFO, logger="detectron2.utils.events")
    clock = iter((100.0, 120.0, 130.0))
    monkeypatch.setattr("minid2.utils.events.time.perf_counter", lambda: next(clock))
    printer = CommonMetricPrinter(max_iter=100)
    assert not has_event_storage()
    with EventStorage() as storage:
        assert has_event_storage()
        for iteration in (19, 39, 99):
            storage.iter = iteration
            printer.write()
    lines = [record.message for record in caplog.records]
    assert "eta" not in lines[0]  # nothing to measure from
    assert "eta: 0:01:00" in lines[1]  # 20 s for 20 iterations, 60 to go
    assert "eta: 0:00:00" in lines[2]
    # a handler of Detectron2's, left by a test before, shortens the name in the record
    assert caplog.records[0].name in ("detectron2.utils.events", "d2.utils.events")


def test_small_table():
    assert "12.346" in create_small_table({"AP": 12.3456, "n": 3})


def test_seeds_versions_and_environment():
    def draw():
        seed_all_rng(5)
        return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002

    assert draw() == draw()
    seed_all_rng()  # a seed of its own
    assert torch.__version__ in collect_env_info()


def test_closures_travel_to_workers():
    offset = 3
    wrapped = pickle.loads(pickle.dumps(PicklableWrapper(lambda x: x + offset)))
    assert wrapped(4) == 7


def test_locate():
    assert locate("torch.nn.Conv2d") is torch.nn.Conv2d and locate("builtins.len") is len
    with pytest.raises(ImportError, match=r"'torch\.nn\.Nope'"):
        locate("torch.nn.Nope")


def test_alone_there_is_nothing_to_talk_about():
    assert (comm.get_world_size(), comm.get_rank(), comm.get_local_rank()) == (1, 0, 0)
    assert comm.get_local_size() == 1 and comm.is_main_process()
    assert comm.all_gather("x") == comm.gather("x") == ["x"]
    comm.synchronize()


def _talk(rank: int, address: str) -> None:
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    comm.create_local_process_group(2)
    np.random.seed(rank)  # noqa: NPY002
    assert (comm.get_world_size(), comm.get_rank(), comm.get_local_rank()) == (2, rank, rank)
    assert comm.get_local_size() == 2 and comm.is_main_process() == (rank == 0)
    comm.synchronize()
    assert comm.all_gather({"rank": rank}) == [{"rank": 0}, {"rank": 1}]
    assert comm.gather(rank, dst=1) == ([0, 1] if rank == 1 else [])
    seeds = comm.all_gather(comm.shared_random_seed())
    assert seeds[0] == seeds[1]
    model = torch.nn.Linear(2, 1)
    wrapped = create_ddp_model(model, fp16_compression=True, broadcast_buffers=False)
    assert isinstance(wrapped, DistributedDataParallel) and wrapped.module is model
    weights = comm.all_gather(model.weight.detach())
    assert torch.equal(*weights)  # those of rank 0
    torch.distributed.destroy_process_group()


def _talk_as_second(index: int, address: str) -> None:
    _talk(index + 1, address)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="starts its processes by fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_two_processes(tmp_path, monkeypatch):
    """This process is rank 0, and the one that it starts is rank 1."""
    monkeypatch.setattr(comm, "_local_group", None)
    # Not spawned: a new process would look for this module by name, and the source tree of
    # Detectron2, where that is on the path, has a package 'tests' too.
    meet, state = f"file://{tmp_path}/meet", np.random.get_state()  # noqa: NPY002
    other = torch.multiprocessing.start_processes(
        _talk_as_second, (meet,), nprocs=1, join=False, daemon=True, start_method="fork"
    )
    try:
        _talk(0, meet)
    finally:
        comm._object_group.cache_clear()
        np.random.set_state(state)  # noqa: NPY002
    while not other.join():
        pass


def test_every_gpu_is_in_the_record_of_the_environment(monkeypatch):
    gpu = types.SimpleNamespace(name="Some GPU", major=9, minor=0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: gpu)
    rows = collect_env_info().splitlines()
    assert [row.split()[:2] for row in rows if "Some GPU (arch 9.0)" in row] == [
        ["GPU", "0"],
        ["GPU", "1"],
    ]
