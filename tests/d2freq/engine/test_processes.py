"""How the processes of a training end is how the command ends."""

import argparse
import os
import signal
import threading

import pytest
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException

from d2freq.engine import launch as launching
from d2freq.engine import processes
from d2freq.errors import UserError

TWO = argparse.Namespace(
    num_gpus=2, num_machines=1, machine_rank=0, dist_url="tcp://127.0.0.1:0", config_file="c.yaml"
)


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "SLURM_PROCID", "SLURM_STEP_ID"):
        monkeypatch.delenv(name, raising=False)


def launched(monkeypatch, end):
    """Start two processes of which none is real: ``end`` is what they do."""
    monkeypatch.setattr(processes, "launch", lambda main, arguments: end())
    processes.start_processes(TWO)


def raising(error):
    def end():
        raise error

    return end


def test_bad_input_in_one_process_is_one_line_of_the_command(monkeypatch):
    text = (
        "-- Process 1 terminated:\nTraceback ...\nd2freq.errors.UserError: no such file; name it\n"
    )
    with pytest.raises(UserError, match=r"^no such file; name it$"):
        launched(monkeypatch, raising(ProcessRaisedException(text, 1, 77)))


def test_another_error_stays_what_it_is(monkeypatch):
    text = "Traceback ...\nZeroDivisionError: division by zero\n"
    with pytest.raises(ProcessRaisedException, match="division"):
        launched(monkeypatch, raising(ProcessRaisedException(text, 1, 77)))


@pytest.mark.parametrize(("code", "expected"), [(143, 143), (130, 130), (138, 138)])
def test_a_process_that_a_signal_ended_gives_its_code(monkeypatch, code, expected):
    error = ProcessExitedException("ended", error_index=0, error_pid=77, exit_code=code)
    with pytest.raises(SystemExit) as found:
        launched(monkeypatch, raising(error))
    assert found.value.code == expected


def test_a_process_that_died_is_no_signal_to_the_command(monkeypatch):
    error = ProcessExitedException("ended", error_index=0, error_pid=77, exit_code=1)
    with pytest.raises(ProcessExitedException):
        launched(monkeypatch, raising(error))


def test_a_signal_before_anybody_listened_ends_the_command(monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as found:
        launched(monkeypatch, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert found.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_who_speaks_for_all(monkeypatch):
    assert processes.is_first(TWO)
    assert not processes.is_first(argparse.Namespace(machine_rank=1))
    place = dict(RANK="1", WORLD_SIZE="2", LOCAL_RANK="1", MASTER_ADDR="h", MASTER_PORT="1")
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    assert not processes.is_first(TWO)


def test_a_place_alone_in_the_world_runs_here(monkeypatch):
    place = dict(RANK="0", WORLD_SIZE="1", LOCAL_RANK="0", MASTER_ADDR="h", MASTER_PORT="1")
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    assert launching.launch(lambda arguments: arguments.num_gpus, TWO) == 2


def test_others_that_cannot_be_joined_are_told(monkeypatch):
    place = dict(RANK="1", WORLD_SIZE="2", LOCAL_RANK="1", MASTER_ADDR="h", MASTER_PORT="1")
    for name, value in place.items():
        monkeypatch.setenv(name, value)

    def refuse(*words, **options):
        raise RuntimeError("connection refused")

    monkeypatch.setattr(launching.dist, "init_process_group", refuse)
    with pytest.raises(UserError, match=r"process 1 of 2 .* tcp://h:1: connection refused"):
        launching.launch(lambda arguments: None, TWO)


def test_a_signal_is_passed_on_to_the_children(monkeypatch):
    """One of them has ended by then, another has no number yet."""
    children = [argparse.Namespace(pid=pid) for pid in (None, 77, 78)]
    monkeypatch.setattr(processes.multiprocessing, "active_children", lambda: children)
    sent = []

    def kill(pid, number):
        sent.append((pid, number))
        if pid == 77:
            raise ProcessLookupError

    with processes._passing_on() as heard:
        with monkeypatch.context() as patch:
            patch.setattr(processes.os, "kill", kill)
            signal.raise_signal(signal.SIGTERM)
    assert heard == [signal.SIGTERM]
    assert sent == [(77, signal.SIGTERM), (78, signal.SIGTERM)]


def test_beside_the_main_thread_signals_stay_with_whoever_has_them():
    before, seen = signal.getsignal(signal.SIGTERM), []

    def work():
        with processes._passing_on() as heard:
            seen.append((heard, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [([], before)]


def test_who_has_joined_runs_and_leaves(monkeypatch):
    place = dict(RANK="1", WORLD_SIZE="2", LOCAL_RANK="1", MASTER_ADDR="h", MASTER_PORT="1")
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    done = []
    monkeypatch.setattr(launching.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(launching.torch, "set_num_threads", lambda number: None)
    for owner, name in (
        (launching.dist, "init_process_group"),
        (launching.comm, "create_local_process_group"),
        (launching.comm, "synchronize"),
        (launching.dist, "destroy_process_group"),
    ):
        say = lambda *words, name=name, **options: done.append((name, *words))  # noqa: E731
        monkeypatch.setattr(owner, name, say)
    assert launching.launch(lambda arguments: arguments.num_gpus, TWO) == 2
    assert done[0] == ("init_process_group", "gloo") and done[1][0] == "create_local_process_group"
    assert [name for name, *_ in done[2:]] == ["synchronize", "destroy_process_group"]
