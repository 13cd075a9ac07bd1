"""Two processes never write to one folder, and a lock outlives nobody."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from d2freq.errors import UserError
from d2freq.utils import lock as module
from d2freq.utils.lock import LOCK_FILE, FolderLock, Locked, locked

from ...process import ROOT

# without d2freq/__init__.py, which takes torch, and with it seconds
HOLD = """
import sys, time, types
sys.modules["d2freq"] = types.ModuleType("d2freq")
sys.modules["d2freq"].__path__ = ["d2freq"]
from d2freq.utils.lock import FolderLock
FolderLock(sys.argv[1], "training").acquire()
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds tmp_path."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_process_is_told_who_and_what_to_do(holder, tmp_path):
    with pytest.raises(Locked, match=rf"process {holder.pid} on .*training.*delete .*{LOCK_FILE}"):
        FolderLock(tmp_path, "training").acquire()
    assert json.loads((tmp_path / LOCK_FILE).read_text())["pid"] == holder.pid


@pytest.mark.parametrize("reaped", [True, False])
def test_the_lock_of_a_killed_process_is_taken_over(holder, tmp_path, reaped, caplog):
    holder.send_signal(signal.SIGKILL)
    if reaped:
        holder.wait()
    else:  # dead, but its parent has not asked after it yet
        os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
    with locked(tmp_path, "training"):
        assert json.loads((tmp_path / LOCK_FILE).read_text())["pid"] == os.getpid()
    assert f"process {holder.pid}" in caplog.text and "is gone" in caplog.text
    assert list(tmp_path.iterdir()) == []


def _write(folder, **changes):
    """A lock as this very process would have, with changes."""
    own = FolderLock(folder, "training")
    (folder / LOCK_FILE).write_text(json.dumps({**own._description(), "token": "x", **changes}))


def _age(folder, seconds):
    then = time.time() - seconds
    os.utime(folder / LOCK_FILE, (then, then))


def test_a_number_that_belongs_to_another_process_by_now_is_no_holder(tmp_path, caplog):
    _write(tmp_path, process="1")
    with locked(tmp_path, "training"):
        assert "belongs to another process" in caplog.text


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "elsewhere", "pid": 1},
        {"machine": ["other start", module._machine()[1]]},
        {"machine": [module._machine()[0], "pid:[1]"]},  # a container's own numbers
    ],
)
def test_a_process_that_cannot_be_asked_holds_while_it_is_touched(tmp_path, changes):
    _write(tmp_path, **changes)
    with pytest.raises(Locked):
        FolderLock(tmp_path, "training").acquire()
    _age(tmp_path, 2 * module.SILENT_SECONDS)
    with locked(tmp_path, "training"):
        pass


def test_a_holder_touches_its_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TOUCH_SECONDS", 0.02)
    with locked(tmp_path, "training"):
        _age(tmp_path, 1000)
        deadline = time.time() + 5
        while (tmp_path / LOCK_FILE).stat().st_mtime < time.time() - 500:
            assert time.time() < deadline
            time.sleep(0.02)


@pytest.mark.parametrize("content", ["", "{", "[1]", "\0\0\0", '{"pid": "many"}'])
def test_half_a_lock_is_none(tmp_path, content):
    (tmp_path / LOCK_FILE).write_text(content)
    with locked(tmp_path, "training"):
        pass


def test_one_process_may_take_it_twice(tmp_path):
    with locked(tmp_path, "training"):
        with locked(tmp_path / ".." / tmp_path.name, "detect"):
            pass
        assert (tmp_path / LOCK_FILE).exists()
    assert not (tmp_path / LOCK_FILE).exists()


def test_it_is_released_at_the_end_of_the_process(tmp_path):
    script = HOLD.replace("time.sleep(60)", "raise SystemExit(3)")
    command = [sys.executable, "-c", script, str(tmp_path)]
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 3
    assert list(tmp_path.iterdir()) == []


def test_of_many_at_once_one_gets_a_stale_lock(tmp_path):
    _write(tmp_path, process="1")
    script = HOLD.replace("time.sleep(60)", "sys.stdin.read()")
    command = [sys.executable, "-c", script, str(tmp_path)]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    processes = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(4)]
    said = [process.stdout.readline() for process in processes]  # "" of one that has ended
    ends = [process.communicate() and process.returncode for process in processes]
    assert sorted(said) == ["", "", "", "held\n"] and sorted(ends) == [0, 1, 1, 1]


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_folder_that_is_a_file_is_one_line(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file.*is a file, or lies below one"):
        FolderLock(tmp_path / name, "training").acquire()


def test_a_file_system_without_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(module.os, "link", refuse)
    with locked(tmp_path, "training"):
        held = json.loads((tmp_path / LOCK_FILE).read_text())
        assert (held["purpose"], held["pid"]) == ("training", os.getpid())
        assert not module._place(tmp_path / LOCK_FILE, tmp_path / LOCK_FILE)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module.Path, "write_text", refuse)
    with pytest.raises(UserError, match="cannot be written: Permission denied; name another"):
        FolderLock(tmp_path, "training").acquire()


def test_a_lock_that_another_took_is_left_to_it(tmp_path):
    lock = FolderLock(tmp_path, "training").acquire()
    other = json.dumps({"token": "another", "pid": os.getpid()})
    (tmp_path / LOCK_FILE).write_text(other)
    lock.release()
    assert (tmp_path / LOCK_FILE).read_text() == other


def test_another_machine_was_quicker_in_taking_over(tmp_path, monkeypatch):
    (tmp_path / LOCK_FILE).write_text("{}")
    monkeypatch.setattr(module, "_place", lambda *_: False)
    with pytest.raises(Locked, match="another process, this very moment, is at work"):
        FolderLock(tmp_path, "training").acquire()
    assert list(tmp_path.iterdir()) == []


def test_processes_of_others_and_of_nobody(monkeypatch):
    assert module._process_start(2**22 + 1) == "" != module._process_start(os.getpid())

    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(module.os, "kill", refuse)
    assert module._exists(1)
