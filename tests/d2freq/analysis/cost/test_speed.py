"""Time and memory of a model: how often it runs, on what, and what is said of it."""

import resource
from pathlib import Path

import pytest
import torch
from torch import nn

from d2freq.analysis.cost import speed
from d2freq.analysis.cost.speed import Speed, measure_speed
from d2freq.analysis.cost.unmixing import _deformable
from d2freq.modeling.unmixing import ISTANet

from ...modeling.unmixing.methods_cases import small_model


class Counting(nn.Module):
    """A detector that remembers what it was given."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.seen = []

    def forward(self, pictures):
        self.seen += [(p["image"].shape, p["height"], p["width"], self.training) for p in pictures]


def test_a_detector_runs_once_more_than_counts():
    model = Counting()
    found = measure_speed(model, size=(4, 6), repeats=3)
    assert model.seen == [((3, 4, 6), 4, 6, False)] * 4
    assert len(found.seconds) == 3 and min(found.seconds) > 0 and found.device == "cpu"
    assert found.peak is None or found.peak > 2**20


def test_an_unmixing_model_is_given_frames():
    calls = []
    model = small_model(ISTANet)
    model.register_forward_hook(lambda *words: calls.append(1))
    assert len(measure_speed(model, size=(0, 0), frames=5, repeats=2).seconds) == 2 and calls


def test_what_is_said():
    said = Speed((0.5, 0.25, 0.2), 3 * 2**20, "cpu").text()
    assert said.startswith("latency 250.0 ms (median of 3, 200.0 to 500.0), 4.00 a second; peak")
    assert "memory of the process 3 MiB; on cpu" in said and said.endswith("threads")
    assert Speed((1.0,), None, "cuda:0").text().endswith("1.00 a second; on cuda:0")


def test_a_gpu_is_asked_for_its_own_memory(monkeypatch):
    asked = []
    for name, result in (
        ("synchronize", None),
        ("reset_peak_memory_stats", None),
        ("max_memory_allocated", 7),
    ):
        ask = lambda device, name=name, result=result: asked.append(name) or result  # noqa: E731
        monkeypatch.setattr(torch.cuda, name, ask)
    device = torch.device("cuda")
    speed._forget_peak(device)
    assert asked == ["synchronize", "reset_peak_memory_stats"]
    assert speed._peak(device) == 7


def test_a_system_without_proc_tells_the_most_since_the_start(monkeypatch, tmp_path):
    monkeypatch.setattr(speed, "Path", lambda path: tmp_path / "absent" / Path(path).name)
    device = torch.device("cpu")
    speed._forget_peak(device)  # which cannot be, and is no fault
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert speed._peak(device) == pytest.approx(most, rel=0.01)


def test_a_deformable_kernel_has_two_operations_a_weight_and_place():
    assert _deformable((1, 2, 9, 9), (4, 2, 3, 3), out_shape=(5, 4, 7, 6)) == 2 * 5 * 42 * 72
