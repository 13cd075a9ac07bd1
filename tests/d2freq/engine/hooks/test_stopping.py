"""A signal ends a training after the iteration under way, saved and flushed."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from d2freq.engine.hooks import stopping
from d2freq.engine.hooks.stopping import SAME_SECONDS, SIGNALS, Stop, Stopped

from ....process import ROOT
from ..toy_training import KINDS, train

CODES = {"SIGTERM": 143, "SIGINT": 130, "SIGUSR1": 138}


def send(name, *, at, calls):
    """A hook that sends this process a signal in the forward pass of an iteration."""

    def hook(model):
        calls.append(model.training)
        if len(calls) == at + 1:
            os.kill(os.getpid(), getattr(signal, name))

    return hook


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CODES)
def test_the_iteration_is_finished_and_saved(kind, name, vehicles, loggers, tmp_path):
    before = {number: signal.getsignal(number) for number in SIGNALS}
    calls = []
    with pytest.raises(Stopped) as stopped:
        train(kind, tmp_path, max_iter=9, period=100, hook=send(name, at=3, calls=calls))
    assert stopped.value.code == CODES[name]
    assert len(calls) == 4  # the fourth iteration was the last, and nothing was evaluated
    out = tmp_path / "run"
    assert (out / "last_checkpoint").read_text() == "model_0000003.pth"
    records = [json.loads(line) for line in (out / "metrics.json").read_text().splitlines()]
    assert records[-1]["iteration"] == 3
    assert {number: signal.getsignal(number) for number in SIGNALS} == before
    train(
        kind, tmp_path, "--resume", max_iter=9, period=100, hook=lambda m: calls.append(m.training)
    )
    assert calls.count(True) == 9
    assert torch.load(out / "model_final.pth", weights_only=False)["iteration"] == 8


@pytest.mark.parametrize("kind", KINDS)
def test_an_evaluation_is_broken_off_with_the_iteration_saved(kind, vehicles, loggers, tmp_path):
    calls = []

    def hook(model):
        calls.append(model.training)
        if not model.training:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped) as stopped:
        train(kind, tmp_path, max_iter=9, period=100, evaluate=3, hook=hook)
    assert stopped.value.code == 143 and calls == [True, True, True, False]
    assert (tmp_path / "run/last_checkpoint").read_text() == "model_0000002.pth"


@pytest.mark.parametrize("kind", KINDS)
def test_in_the_last_iteration_the_final_checkpoint_is_there(kind, vehicles, loggers, tmp_path):
    calls = []
    with pytest.raises(Stopped):
        train(kind, tmp_path, max_iter=4, period=100, hook=send("SIGTERM", at=3, calls=calls))
    assert calls == [True] * 4
    assert (tmp_path / "run/last_checkpoint").read_text() == "model_final.pth"


STUBBORN = """
import os, signal, sys, time
from d2freq.engine.hooks.stopping import Stop
stop = Stop()
stop.listen()
print("ready", flush=True)
end = time.time() + 60
while time.time() < end:
    time.sleep(0.05)
"""


@pytest.mark.parametrize("name", ["SIGTERM"])  # the others take the same way, and seconds
def test_a_second_signal_ends_the_process_at_once(name, tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    process = subprocess.Popen([sys.executable, "-c", STUBBORN], env=environment, cwd=ROOT, **pipes)
    number = getattr(signal, name)
    try:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        time.sleep(0.2)
        process.send_signal(number)  # the same once more, as a launcher passes it on
        time.sleep(1.0)
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait(5) == -number
    finally:
        process.kill()
        process.wait()


def test_a_process_of_a_loader_does_not_mind(monkeypatch):
    stop = Stop()
    stop._process = os.getpid() + 1
    stop._hear(signal.SIGTERM, None)
    assert not stop.heard


def test_what_one_process_hears_stops_all_of_them(monkeypatch):
    """The other one has heard SIGTERM; afterwards this one is deaf, until it has ended."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    monkeypatch.setattr(stopping.dist, "is_initialized", lambda: True)
    monkeypatch.setattr(stopping.comm, "get_world_size", lambda: 2)
    monkeypatch.setattr(stopping.dist, "new_group", lambda backend: backend)
    heard = [signal.SIGTERM, 0]

    def reduce(tensor, op, group):
        assert group == "gloo"
        tensor.clamp_(min=heard.pop())

    monkeypatch.setattr(stopping.dist, "all_reduce", reduce)
    stop = Stop()
    try:
        stop.listen()
        assert not stop.agree() and not stop.heard
        assert stop.agree() and stop.number == signal.SIGTERM
        stop.hand_back()
        assert all(signal.getsignal(number) == signal.SIG_IGN for number in SIGNALS)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_another_signal_is_the_systems_after_a_while(monkeypatch):
    clock, done = iter((10.0, 10.0 + SAME_SECONDS / 2, 10.0 + SAME_SECONDS)), []
    stop = Stop()
    monkeypatch.setattr(stopping.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(stopping.signal, "signal", lambda number, to: done.append((number, to)))
    monkeypatch.setattr(stopping.os, "kill", lambda pid, number: done.append((pid, number)))
    stop._hear(signal.SIGTERM, None)
    done.clear()  # of what the first one does to loaders
    stop._hear(signal.SIGTERM, None)  # the same once more, as a launcher passes it on
    assert stop.heard and not done
    stop._hear(signal.SIGINT, None)
    assert done == [(signal.SIGINT, signal.SIG_DFL), (os.getpid(), signal.SIGINT)]
