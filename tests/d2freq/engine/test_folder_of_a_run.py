"""Nothing in a run's folder is lost: damaged files, markers, a second start, two starts at once."""

import subprocess
import sys
import zipfile

import pytest
import torch

from d2freq.engine.run import check_arguments
from d2freq.engine.weights.folder import checkpoints, fault_of, newest_readable, periodic
from d2freq.engine.weights.safe import SafeCheckpointer
from d2freq.errors import UserError
from d2freq.train import build_parser, main
from d2freq.utils.lock import LOCK_FILE

from ...process import ROOT
from ..utils.test_lock import HOLD
from .toy_training import KINDS, ToyDetector, train, words


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def zeros(path):
    path.write_bytes(bytes(path.stat().st_size))


def no_checkpoint(path):
    path.write_bytes(b"<html>404</html>" * 100)


def flip(path):
    """One bit of a tensor's bytes, which torch reads without a word."""
    with zipfile.ZipFile(path) as archive:
        part = max(archive.infolist(), key=lambda each: each.file_size * ("data/" in each.filename))
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive, archive.open(part) as file:
        content = file.read()
    place = bytes(data).index(content)
    data[place + 1] ^= 4
    path.write_bytes(bytes(data))


FAULTS = {function.__name__: function for function in (cut, empty, zeros, no_checkpoint, flip)}


@pytest.fixture
def folder(tmp_path):
    """Checkpoints of the iterations 1, 3 and 5 and a final one."""
    model = ToyDetector()
    checkpointer = SafeCheckpointer(model, str(tmp_path))
    for iteration in (1, 3, 5):
        checkpointer.save(f"model_{iteration:07d}", iteration=iteration)
    checkpointer.save("model_final", iteration=5)
    return tmp_path


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_file_is_found_and_passed_over(folder, fault, caplog):
    for name in ("model_final.pth", "model_0000005.pth"):
        assert fault_of(folder / name) is None
        FAULTS[fault](folder / name)
        assert fault_of(folder / name) is not None
    assert newest_readable(folder) == folder / "model_0000003.pth"
    assert "model_final.pth is passed over: it is" in caplog.text
    assert "going on from" in caplog.text and "model_0000003.pth" in caplog.text


def test_torch_reads_flipped_bits_without_a_word(folder):
    """So that checksums are what finds them."""
    path = folder / "model_final.pth"
    before = torch.load(path)["model"]
    flip(path)
    after = torch.load(path)["model"]
    assert any(not torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    "marker", [b"", b"\n", b"\xff\xfe\x00", b"model_\0\0.pth", b"gone.pth", None]
)
def test_a_damaged_marker_is_no_start_anew(folder, marker, caplog):
    if marker is None:
        (folder / "last_checkpoint").unlink()
    else:
        (folder / "last_checkpoint").write_bytes(marker)
    assert newest_readable(folder) == folder / "model_final.pth"
    assert "last_checkpoint" in caplog.text and "going on from" in caplog.text


def test_damaged_files_alone_are_no_start_anew(folder):
    for path in folder.glob("*.pth"):
        cut(path)
    with pytest.raises(UserError, match="no other checkpoint that can be read.*--overwrite"):
        newest_readable(folder)


def test_the_best_weights_are_no_state_to_go_on_from(folder):
    """Without optimizer and schedule a training would begin at its first iteration once more."""
    for path in folder.glob("*.pth"):
        cut(path)
    SafeCheckpointer(ToyDetector(), str(folder)).save("model_best", iteration=3)
    (folder / "last_checkpoint").write_text("model_final.pth")
    with pytest.raises(UserError, match="model_final.pth is .*from the best weights, .*best.pth"):
        newest_readable(folder)
    for path in [*folder.glob("model_0*.pth"), folder / "last_checkpoint"]:
        path.unlink()
    with pytest.raises(UserError, match="last_checkpoint is missing.*best.pth"):
        newest_readable(folder)


def test_the_marker_decides_where_it_is_whole(folder, caplog):
    (folder / "last_checkpoint").write_text("model_0000003.pth")
    assert newest_readable(folder) == folder / "model_0000003.pth"
    assert not caplog.text


def test_the_furthest_is_that_of_most_iterations_not_of_the_latest_copy(folder):
    """A finished training that went on: the final file is older than the periodic ones."""
    SafeCheckpointer(ToyDetector(), str(folder)).save("model_0000010", iteration=10)
    (folder / "model_0000005.pth").write_bytes((folder / "model_0000005.pth").read_bytes())
    SafeCheckpointer(ToyDetector(), str(folder)).save("model_best", iteration=3)
    names = [path.name for path in checkpoints(folder)]
    assert names == [
        "model_0000010.pth",
        "model_final.pth",
        "model_0000005.pth",
        "model_0000003.pth",
        "model_0000001.pth",
        "model_best.pth",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_resume_without_marker_goes_on_from_the_newest(kind, vehicles, loggers, tmp_path):
    train(kind, tmp_path, max_iter=4)
    out = tmp_path / "run"
    (out / "last_checkpoint").unlink()
    cut(out / "model_final.pth")
    train(kind, tmp_path, "--resume", max_iter=6)
    log = (out / "log.txt").read_text()
    assert "Starting training from iteration 4" in log and "model_final.pth is passed over" in log
    assert (out / "last_checkpoint").read_text() == "model_final.pth"
    assert torch.load(out / "model_final.pth", weights_only=False)["iteration"] == 5


@pytest.mark.parametrize("kind", KINDS)
def test_resume_says_what_it_found(kind, vehicles, loggers, tmp_path):
    train(kind, tmp_path, "--resume", max_iter=2)
    log = tmp_path / "run" / "log.txt"
    assert "holds no checkpoint to go on from, so training starts anew" in log.read_text()
    before = (tmp_path / "run/model_final.pth").read_bytes()
    train(kind, tmp_path, "--resume", max_iter=2)
    assert "is trained to the end already (2 of 2 iterations)" in log.read_text()
    assert (tmp_path / "run/model_final.pth").read_bytes() == before
    train(kind, tmp_path, "--resume", max_iter=4)
    assert "model_final.pth goes on at iteration 2" in log.read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_a_former_training_is_not_overwritten_unasked(kind, vehicles, loggers, tmp_path):
    def check(*flags, **options):
        check_arguments(build_parser().parse_args(words(kind, tmp_path, *flags, **options)))

    train(kind, tmp_path, max_iter=4)
    out = tmp_path / "run"
    with pytest.raises(UserError, match=r"(?s)run holds a former training.*--resume.*--overwrite"):
        check()
    with pytest.raises(UserError, match="say one of them"):
        check("--resume", "--overwrite")
    with pytest.raises(UserError, match="--reset-lr .*say --resume"):
        check("--reset-lr")
    check("--resume")
    check("--overwrite")
    check("--eval-only", weights=out / "model_final.pth")
    (out / "model_0000001.pth").rename(out / "own.pth")
    train(kind, tmp_path, "--overwrite", max_iter=2, weights=out / "model_0000003.pth")
    names = {path.name for path in out.glob("*.pth")}
    assert names == {"own.pth", "model_0000003.pth", "model_0000001.pth", "model_final.pth"}
    assert '"iteration": 3' not in (out / "metrics.json").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_an_output_folder_that_is_a_file_is_one_line(kind, vehicles, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        arguments = build_parser().parse_args(words(kind, tmp_path, out=out))
        with pytest.raises(UserError, match="file is a file, not a folder"):
            check_arguments(arguments)


@pytest.mark.parametrize("kind", KINDS)
def test_as_many_checkpoints_stay_as_asked_for(kind, vehicles, loggers, tmp_path):
    train(kind, tmp_path, max_iter=8, keep=2)
    out = tmp_path / "run"
    assert [path.name for path in periodic(out)] == ["model_0000005.pth", "model_0000007.pth"]
    assert (out / "model_final.pth").is_file()
    (out / "model_best.pth").write_bytes(b"x")
    train(kind, tmp_path, "--resume", max_iter=12, keep=2)
    assert [path.name for path in periodic(out)] == ["model_0000009.pth", "model_0000011.pth"]
    assert (out / "model_best.pth").is_file()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reset", [False, True])
def test_a_changed_learning_rate_is_said_or_taken(kind, reset, vehicles, loggers, tmp_path):
    train(kind, tmp_path, max_iter=2, lr=0.002)
    flags = ["--resume", *(["--reset-lr"] if reset else [])]
    rates = []
    train(kind, tmp_path, *flags, max_iter=4, lr=0.0005, hook=None)
    saved = torch.load(tmp_path / "run/model_final.pth", weights_only=False)
    rates = {
        group["lr"]
        for group in saved["trainer"].get("_trainer", saved["trainer"])["optimizer"]["param_groups"]
    }
    assert rates == {0.0005 if reset else 0.002}
    log = (tmp_path / "run/log.txt").read_text()
    said = "asks for 0.0005, but the checkpoint goes on with 0.002, which holds; --reset-lr"
    assert (said in log) is not reset


def test_a_killed_write_leaves_the_file_before(folder, monkeypatch):
    before = (folder / "model_final.pth").read_bytes()

    class Killed(BaseException):
        pass

    def half(data, draft):
        draft.write(b"PK half")
        raise Killed

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(Killed):
        SafeCheckpointer(ToyDetector(), str(folder)).save("model_final", iteration=9)
    assert (folder / "model_final.pth").read_bytes() == before
    assert not list(folder.glob(".*draft"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_training_in_the_folder_is_refused(kind, vehicles, loggers, tmp_path, capsys):
    out = tmp_path / "run"
    command = [sys.executable, "-c", HOLD, str(out)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert holder.stdout.readline() == "held\n"
        assert main(words(kind, tmp_path)) == 2
    finally:
        holder.kill()
        holder.wait()
    assert f"process {holder.pid} on" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == [LOCK_FILE]
    assert main(words(kind, tmp_path)) == 0  # its process is gone, so that its lock is
    assert (out / "model_final.pth").is_file() and not (out / LOCK_FILE).exists()
