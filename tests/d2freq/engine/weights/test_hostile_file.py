"""A checkpoint that holds code is refused on either host, and none of it runs."""

import os
import pickle

import numpy as np
import pytest
import torch
from detectron2.checkpoint import DetectionCheckpointer

from d2freq.engine.weights.folder import fault_of
from d2freq.engine.weights.safe import SafeCheckpointer, _foreign_name
from d2freq.engine.weights.strict import check_fits
from d2freq.errors import UserError


class Hostile:
    """What touches a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def write(path, content):
    if path.suffix == ".pkl":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path)


@pytest.mark.parametrize("name", ["weights.pth", "weights.pkl"])
@pytest.mark.parametrize("read", ["load", "check"])
def test_code_in_a_checkpoint_is_refused(name, read, tmp_path):
    model, ran = torch.nn.Linear(2, 2), tmp_path / "ran"
    weights = {key: value.numpy() for key, value in model.state_dict().items()}
    write(tmp_path / name, {"model": weights, "extra": Hostile(ran)})
    with pytest.raises(UserError, match=rf"{name} is refused: it holds more than weights.*system"):
        if read == "load":
            SafeCheckpointer(model).load(str(tmp_path / name))
        else:
            check_fits(model, str(tmp_path / name), complete=False)
    assert not ran.exists()


@pytest.mark.parametrize("name", ["weights.pth", "weights.pkl"])
def test_arrays_and_numbers_of_numpy_are_data(name, tmp_path):
    """As published files of Detectron2 have them."""
    weights = {"weight": np.ones((2, 2), np.float32), "bias": np.zeros(2, np.float32)}
    content = {"model": weights, "__author__": "someone", "lr": np.float64(0.1)}
    write(tmp_path / name, content)
    model = torch.nn.Linear(2, 2)
    SafeCheckpointer(model).load(str(tmp_path / name))
    assert torch.equal(model.weight, torch.ones(2, 2))


def test_no_folder_writes_nothing_and_an_address_is_the_hosts_matter(monkeypatch, tmp_path):
    model, asked = torch.nn.Linear(2, 2), []
    monkeypatch.chdir(tmp_path)
    SafeCheckpointer(model).save("weights")
    SafeCheckpointer(model, str(tmp_path), save_to_disk=False).save("weights")
    assert not list(tmp_path.iterdir())

    for name in ("save", "tag_last_checkpoint", "has_checkpoint", "get_checkpoint_file"):
        say = lambda self, *words, name=name: asked.append((name, *words)) or "s3://b/a.pth"  # noqa: E731
        monkeypatch.setattr(DetectionCheckpointer, name, say)
    afar = SafeCheckpointer(model)
    afar.save_dir, afar.save_to_disk = "s3://bucket", True
    afar.save("weights")
    afar.tag_last_checkpoint("weights.pth")
    assert asked == [("save", "weights"), ("tag_last_checkpoint", "weights.pth")]
    assert afar.has_checkpoint() and afar.get_checkpoint_file() == "s3://b/a.pth"
    monkeypatch.setattr(DetectionCheckpointer, "has_checkpoint", lambda self: False)
    assert not afar.has_checkpoint() and afar.get_checkpoint_file() == ""


def test_a_damaged_pickle_is_no_refusal(tmp_path):
    (tmp_path / "weights.pkl").write_bytes(b"\x80\x02}q\x00")
    with pytest.raises(EOFError):
        SafeCheckpointer(torch.nn.Linear(2, 2)).load(str(tmp_path / "weights.pkl"))
    with pytest.raises(UserError, match=r"weights\.pkl \(5 bytes\) cannot be read: Ran out"):
        check_fits(torch.nn.Linear(2, 2), str(tmp_path / "weights.pkl"), complete=False)


def test_what_a_refused_file_asks_for_is_looked_for_in_the_causes():
    cause = pickle.UnpicklingError("Unsupported global: posix.system was not allowed")
    error = RuntimeError("outside")
    error.__cause__ = cause
    assert _foreign_name(error) == "posix.system"
    assert _foreign_name(RuntimeError("Weights only load failed: opcode")) == "code"
    assert _foreign_name(RuntimeError("disk")) is None


def test_faults_of_files(tmp_path):
    file = tmp_path / "weights.pth"
    assert fault_of(file) == "is not there"
    assert fault_of(tmp_path / ("x" * 300)) == "cannot be read (File name too long)"
    torch.save({"a": torch.ones(3)}, file)
    assert fault_of(file) is None
    whole = file.read_bytes()
    file.write_bytes(b"X" + whole[1:])
    assert fault_of(file) == "is damaged: the checksum of its part weights/data.pkl is wrong"
    file.write_bytes(whole.replace(b"PK\x01\x02", b"PK\x01\x03"))
    assert fault_of(file) == "is damaged (Bad magic number for central directory)"
    torch.save({"a": torch.ones(3)}, file, _use_new_zipfile_serialization=False)
    assert fault_of(file) is None  # as before torch 1.6
    file.write_bytes(file.read_bytes()[:-9])
    assert fault_of(file) == "is cut off or no checkpoint"
