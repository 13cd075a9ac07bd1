"""A full disk ends no training: the checkpoint before stays, and saving is tried again."""

import errno
import os
import shutil
import subprocess
from types import SimpleNamespace

import pytest
import torch
from detectron2.utils.events import EventWriter

from d2freq.engine.hooks import saving
from d2freq.engine.hooks.saving import check_space, checkpoint_bytes
from d2freq.engine.hooks.stopping import Stop
from d2freq.engine.hooks.writing import tolerant
from d2freq.engine.weights.folder import fault_of
from d2freq.engine.weights.safe import SafeCheckpointer
from d2freq.errors import UserError

from ..toy_training import KINDS, ToyDetector, train


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 5 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this user may not mount a file system of 5 MB")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder):
    """Leave no byte of its disk; returns the file that did."""
    waste = folder / "waste"
    with open(waste, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(2**16))
        except OSError as error:
            assert error.errno == errno.ENOSPC
    return waste


@pytest.mark.parametrize("kind", KINDS)
def test_training_goes_on_with_a_full_disk(
    kind, vehicles, loggers, small_disk, tmp_path, monkeypatch
):
    """Full from the third iteration on, with room again from the sixth."""
    monkeypatch.setattr(saving, "AGAIN", 3)
    calls = []

    def hook(model):
        if model.training:
            calls.append(1)
            if len(calls) == 3:
                fill(small_disk)
            if len(calls) == 6:
                (small_disk / "waste").unlink()

    out = small_disk / "run"
    train(kind, tmp_path, out=out, max_iter=12, period=2, hook=hook)
    assert len(calls) == 12
    names = sorted(path.name for path in out.glob("model_*.pth"))
    assert "model_0000003.pth" not in names
    assert names[0] == "model_0000001.pth" and names[-1] == "model_final.pth"
    assert len(names) >= 5 and all(fault_of(out / name) is None for name in names)


def test_the_warning_names_file_reason_and_what_is_left(small_disk, vehicles, loggers, tmp_path):
    def hook(model):
        if model.training and not (small_disk / "waste").exists():
            if (out / "model_0000001.pth").exists():
                fill(small_disk)

    out = small_disk / "run"
    with pytest.raises(UserError, match=r"model_\w+.pth: could not be written \(No space left"):
        train("lazy", tmp_path, out=out, max_iter=6, period=2, hook=hook)
    (small_disk / "waste").unlink()  # the log is closed in a moment, and has lines left to write
    assert fault_of(out / "model_0000001.pth") is None
    assert (out / "last_checkpoint").read_text() == "model_0000001.pth"
    assert not list(out.glob(".*draft"))


def test_a_disk_without_room_for_one_checkpoint_is_refused_at_the_start(small_disk):
    model = torch.nn.Linear(1000, 1000)
    optimizer = torch.optim.Adam(model.parameters())
    with pytest.raises(UserError, match=r"disk has 5 MB free, and a checkpoint takes 11 MB"):
        check_space(model, optimizer, str(small_disk))


@pytest.mark.parametrize("optimizer", ["SGD", "momentum", "Adam"])
def test_the_size_of_a_checkpoint_is_known_before(optimizer, tmp_path):
    model = torch.nn.Linear(300, 300)
    made = {
        "SGD": lambda p: torch.optim.SGD(p, lr=0.1),
        "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        "Adam": lambda p: torch.optim.Adam(p, lr=0.1),
    }[optimizer](model.parameters())
    model(torch.zeros(1, 300)).sum().backward()
    made.step()
    SafeCheckpointer(model, str(tmp_path), optimizer=made).save("model")
    size = (tmp_path / "model.pth").stat().st_size
    assert size == pytest.approx(checkpoint_bytes(model, made), abs=8000)


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    """Root may write anywhere, so that the folder's place is taken by a file instead."""
    (tmp_path / "run").write_text("")
    with pytest.raises(OSError, match=r"run/model_final.pth: could not be written"):
        SafeCheckpointer(ToyDetector(), str(tmp_path / "run")).save("model_final")
    assert os.path.isfile(tmp_path / "run")


def test_a_writer_that_cannot_write_ends_nothing(small_disk, caplog):
    class Json(EventWriter):
        def __init__(self):
            self.file = open(small_disk / "metrics.json", "wb", buffering=0)

        def write(self):
            self.file.write(bytes(2**13))

        def close(self):
            self.file.close()

    writer = tolerant([Json()])[0]
    writer.write()
    waste = fill(small_disk)
    writer.write()
    writer.write()
    assert caplog.text.count("Json could not write (No space left on device)") == 1
    waste.unlink()
    writer.write()
    writer.close()
    assert (small_disk / "metrics.json").stat().st_size >= 2**14


def test_the_periodic_checkpoint_of_the_last_iteration_counts(tmp_path):
    """Where the final one no longer fits, --resume goes on from it, and the message says so."""

    class Full:
        save_dir, save_to_disk = str(tmp_path), True

        def save(self, name, *, iteration):
            if name == "model_final":
                raise OSError(f"{name}.pth: could not be written (No space left on device)")

    hook = saving.Saving(Full(), period=2, keep=0, stop=Stop(), evaluations=[])
    hook.trainer = SimpleNamespace(iter=0, start_iter=0, max_iter=4)
    hook.before_train()
    for hook.trainer.iter in range(3):
        hook.after_step()
    hook.trainer.iter = 3
    with pytest.raises(UserError, match="that of iteration 3, where --resume goes on"):
        hook.after_step()
