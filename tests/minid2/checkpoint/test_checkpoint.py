"""Checkpoints: every format read, nothing run, nothing half written."""

import logging
import multiprocessing
import os
import pickle
import signal
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

from minid2.checkpoint import DetectionCheckpointer, PeriodicCheckpointer
from minid2.checkpoint.c2_model_loading import (
    align_and_update_state_dicts,
    convert_c2_detectron_names,
)
from minid2.checkpoint.reading import CheckpointError, UnsafeCheckpointError


class Head(nn.Module):
    """A classifier whose layers are named as those of Faster R-CNN's box head."""

    def __init__(self, num_classes=3):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1)
        self.cls_score = nn.Linear(2, num_classes + 1)


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_round_trip_resumes_model_optimizer_and_extras(tmp_path):
    model, other = Head(), Head()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    sum(p.sum() for p in model.parameters()).backward()
    optimizer.step()
    first = DetectionCheckpointer(model, str(tmp_path), optimizer=optimizer)
    PeriodicCheckpointer(first, period=5, max_iter=10).step(4, note="kept")

    fresh = torch.optim.SGD(other.parameters(), lr=0.7, momentum=0.9)
    second = DetectionCheckpointer(other, str(tmp_path), optimizer=fresh)
    rest = second.resume_or_load("", resume=True)
    assert rest == {"iteration": 4, "note": "kept"}
    assert same(model, other)
    assert fresh.param_groups[0]["lr"] == 0.1
    assert torch.equal(
        *(next(iter(o.state.values()))["momentum_buffer"] for o in (optimizer, fresh))
    )
    assert sorted(os.listdir(tmp_path)) == ["last_checkpoint", "model_0000004.pth"]

    weights_only = torch.optim.SGD(other.parameters(), lr=0.7)
    third = DetectionCheckpointer(other, optimizer=weights_only)
    third.resume_or_load(second.get_checkpoint_file(), resume=False)
    assert weights_only.param_groups[0]["lr"] == 0.7


def test_detectron2_pickle_with_numpy_arrays(tmp_path):
    model, other = Head(), Head()
    weights = {f"{k}": v.numpy() for k, v in model.state_dict().items()}
    for protocol in (2, 4, 5):
        path = str(tmp_path / "zoo.pkl")
        with open(path, "wb") as file:
            content = {"model": OrderedDict(weights), "__author__": "zoo", "lr": np.float32(2)}
            pickle.dump(content, file, protocol)
        nn.init.zeros_(other.conv.weight)
        assert DetectionCheckpointer(other).load(path) == {"__author__": "zoo", "lr": 2.0}
        assert same(model, other)


def test_longest_ending_wins_and_ambiguity_is_an_error(caplog):
    state = {"net.a.w": torch.zeros(1), "net.b.w": torch.zeros(1), "net.c.w": torch.zeros(2)}
    file = {"w": torch.ones(1), "b.w": torch.full((1,), 2.0), "c.w": torch.ones(3)}
    with caplog.at_level(logging.WARNING):
        matched = align_and_update_state_dicts(state, file, c2_conversion=False)
    assert matched == {"net.a.w": file["w"], "net.b.w": file["b.w"], "c.w": file["c.w"]}
    assert "c.w" in caplog.text and "(3,)" in caplog.text and "(2,)" in caplog.text
    with pytest.raises(ValueError, match=r"net\.a\.w.*net\.b\.w"):
        align_and_update_state_dicts(state, {"w": torch.ones(1)}, c2_conversion=False)


def test_caffe2_resnet(tmp_path):
    blobs = {
        "res_conv1_bn_s": np.ones(1),
        "res4_22_branch2c_w": np.full((1, 1), 5.0),
        "res4_22_branch2c_w_momentum": np.ones(1),
        "fc1000_b": np.ones(1),
    }
    weights, origins = convert_c2_detectron_names(blobs)
    assert origins["res4.22.conv3.weight"] == "res4_22_branch2c_w"
    assert {"stem.conv1.norm.weight", "res4.22.conv3.weight", "fc1000.bias"} < set(weights)
    model = nn.Module()
    model.res4 = nn.ModuleDict({"22": nn.ModuleDict({"conv3": nn.Linear(1, 1)})})
    (tmp_path / "R.pkl").write_bytes(pickle.dumps({"blobs": blobs}))
    DetectionCheckpointer(model).load(str(tmp_path / "R.pkl"))
    assert model.res4["22"]["conv3"].weight.item() == 5


class Payload:
    """Unpickled in full it would make a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("name", ["evil.pkl", "evil.pth"])
def test_hostile_file_is_refused_and_not_run(tmp_path, name):
    trap = tmp_path / "trap"
    content = {"model": {"w": torch.ones(1).numpy()}, "extra": Payload(str(trap))}
    with open(tmp_path / name, "wb") as file:
        (pickle.dump if name.endswith("pkl") else torch.save)(content, file)
    with pytest.raises(
        UnsafeCheckpointError, match=rf"{name} is refused.*mkdir.*None of it was run"
    ):
        DetectionCheckpointer(Head()).load(str(tmp_path / name))
    assert not trap.exists()


def test_numpy_beside_the_weights_is_read(tmp_path):
    extras = {"best": np.float64(25.9), "history": np.arange(3)}
    DetectionCheckpointer(Head(), str(tmp_path)).save("m", **extras)
    got = DetectionCheckpointer(Head()).load(str(tmp_path / "m.pth"))
    assert got["best"] == 25.9 and got["history"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.97])
@pytest.mark.parametrize("suffix", ["pth", "pkl"])
def test_truncated_file_is_named_with_the_cure(tmp_path, keep, suffix):
    checkpointer = DetectionCheckpointer(Head(), str(tmp_path))
    checkpointer.save("model_0000009")
    path = tmp_path / f"model_0000019.{suffix}"
    if suffix == "pth":
        torch.save({"model": Head().state_dict()}, path)
    else:
        path.write_bytes(pickle.dumps({"model": {"w": np.ones(99)}}))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(CheckpointError, match=r"model_0000019.*cut off.*'model_0000009\.pth'"):
        checkpointer.load(str(path))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.pth.*MODEL\.WEIGHTS"):
        DetectionCheckpointer(Head()).load(str(tmp_path / "nothing.pth"))


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    checkpointer = DetectionCheckpointer(Head(), str(tmp_path))
    checkpointer.save("model")
    before = (tmp_path / "model.pth").read_bytes()

    def full_disk(data, file):
        file.write(b"half a check")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match=r"model\.pth.*No space left.*untouched"):
        checkpointer.save("model")
    assert (tmp_path / "model.pth").read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["last_checkpoint", "model.pth"]


def save_and_die(folder):
    def write_half(data, file):
        file.write(b"half a checkpoint")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    torch.save = write_half
    DetectionCheckpointer(Head(), folder).save("model", iteration=2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="starts its process by fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_kill_while_writing_keeps_the_old_file(tmp_path):
    model, other = Head(), Head()
    DetectionCheckpointer(model, str(tmp_path)).save("model", iteration=1)
    process = multiprocessing.get_context("fork").Process(
        target=save_and_die, args=(str(tmp_path),)
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    rest = DetectionCheckpointer(other, str(tmp_path)).resume_or_load("")
    assert rest == {"iteration": 1} and same(model, other)
