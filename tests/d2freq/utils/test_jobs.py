"""Jobs over many files: in order, in several processes, and on from where they stopped."""

import json
import multiprocessing
import os
import signal
from concurrent.futures import process
from functools import partial
from pathlib import Path

import pytest

from d2freq.errors import UserError
from d2freq.utils.jobs import FailedItems, Item, Job, parts_of, read_key


def length_of(path: Path, *, log: Path | None = None, stop_at: str = "", error=UserError) -> dict:
    """The item's function; it notes that it was called, and can fail at one file."""
    if path.name == stop_at:
        raise error(f"{path}: bad file" if error is UserError else "stopped")
    if log is not None:
        with open(log, "a") as file:
            file.write(path.name + "\n")
    return {"text": path.read_text(), "size": (len(path.read_text()), 0.1)}


def die(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def items(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number:02d}.txt").write_text("é" * number)
    return [Item(str(path), path, (path,)) for path in sorted(folder.iterdir())]


def run(tmp_path, items, function=length_of, key=None, **options):
    with Job(parts_of(tmp_path / "out.json"), key=key or {"source": "here"}) as job:
        return job.run(function, items, progress=False, **options)


def calls(log: Path) -> list[str]:
    return log.read_text().split() if log.is_file() else []


def test_results_are_in_order_at_any_number_of_processes(tmp_path, items):
    one = run(tmp_path, items, workers=1)
    assert [result["size"] for result in one] == [[n, 0.1] for n in range(20)]
    assert run(tmp_path, items, workers=2) == one
    assert not parts_of(tmp_path / "out.json").exists()


def test_spawned_processes_do_the_same(tmp_path, items, monkeypatch):
    # as on Windows and macOS; json.loads so that the children need not import this file
    spawn = partial(process.ProcessPoolExecutor, mp_context=multiprocessing.get_context("spawn"))
    monkeypatch.setattr("d2freq.utils.jobs.ProcessPoolExecutor", spawn)
    numbers = [Item(str(n), str(n)) for n in range(8)]
    assert run(tmp_path, numbers, json.loads, workers=2) == list(range(8))


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_stopped_job_goes_on_without_doing_anything_again(tmp_path, items, error):
    log, parts = tmp_path / "log", parts_of(tmp_path / "out.json")
    stopping = partial(length_of, log=log, stop_at="07.txt", error=error)
    with pytest.raises(error):
        run(tmp_path, items, stopping, workers=1)
    assert len(calls(log)) == 7 and parts.is_dir()
    with open(parts / "done.jsonl", "a") as file:
        file.write('["half a li')  # killed while writing
    whole = run(tmp_path, items, partial(length_of, log=log), workers=2)
    assert sorted(calls(log)) == [f"{n:02d}.txt" for n in range(20)]
    assert whole == run(tmp_path / "fresh", items, workers=1)


def test_line_after_a_half_line_is_kept(tmp_path, items):
    log, parts = tmp_path / "log", parts_of(tmp_path / "out.json")
    for stop in ("03.txt", "09.txt"):
        stopping = partial(length_of, log=log, stop_at=stop, error=KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, items, stopping, workers=1)
        with open(parts / "done.jsonl", "a") as file:
            file.write('["half a li')
    assert len(calls(log)) == 9
    assert run(tmp_path, items, partial(length_of, log=log), workers=1)
    assert len(calls(log)) == 20


def test_all_bad_files_are_listed_and_only_they_are_done_again(tmp_path, items):
    log = tmp_path / "log"
    for number in (2, 5, 11, 17):
        items[number].argument.unlink()
    with pytest.raises(FailedItems, match="4 of 20 files failed.*and 1 more") as caught:
        run(tmp_path, items, partial(length_of, log=log), workers=2)
    assert [Path(failure.name).stem for failure in caught.value.failures] == "02 05 11 17".split()
    assert "No such file" in str(caught.value.failures[0])
    log.unlink()
    for number in (2, 5, 11, 17):
        items[number].argument.write_text("new")
    results = run(tmp_path, items, partial(length_of, log=log), workers=1)
    assert calls(log) == "02.txt 05.txt 11.txt 17.txt".split()
    assert results[5]["text"] == "new" and results[6]["text"] == "é" * 6


def test_changed_file_is_done_again_and_another_key_starts_anew(tmp_path, items):
    log = tmp_path / "log"
    stopping = partial(length_of, log=log, stop_at="12.txt")
    with pytest.raises(FailedItems):
        run(tmp_path, items, stopping, workers=1)
    items[3].argument.write_text("changed since")
    log.unlink()
    with pytest.raises(FailedItems):
        run(tmp_path, items, stopping, workers=1)
    assert calls(log) == ["03.txt"]
    log.unlink()
    results = run(tmp_path, items, partial(length_of, log=log), key={"source": "x"}, workers=1)
    assert len(calls(log)) == 20 and results[3]["text"] == "changed since"


def test_item_whose_output_is_gone_is_done_again(tmp_path, items):
    log = tmp_path / "log"
    with pytest.raises(FailedItems):
        run(tmp_path, items, partial(length_of, log=log, stop_at="19.txt"), workers=1)
    log.unlink()
    there = lambda path, result: path.name != "04.txt" and result["text"] == path.read_text()  # noqa: E731
    run(tmp_path, items, partial(length_of, log=log), workers=1, intact=there)
    assert calls(log) == ["04.txt", "19.txt"]


def test_error_of_the_program_names_the_item(tmp_path, items):
    with pytest.raises(RuntimeError, match=r"07\.txt: KeyError"):
        run(tmp_path, items, partial(length_of, stop_at="07.txt", error=KeyError), workers=2)


def test_killed_process_is_said(tmp_path, items):
    with pytest.raises(UserError, match="killed.*--workers 1"):
        run(tmp_path, items, die, workers=2)


def test_no_process_and_same_names_are_refused(tmp_path, items):
    with pytest.raises(UserError, match="workers=0"):
        run(tmp_path, items, workers=0)
    with pytest.raises(ValueError, match="same name"):
        run(tmp_path, [*items, items[0]])


def test_key_is_read_while_the_job_is_open(tmp_path):
    parts = parts_of(tmp_path / "out.json")
    assert read_key(parts) is None
    with Job(parts, key={"size": (8, 9)}):
        assert read_key(parts) == {"size": [8, 9]}
    assert read_key(parts) is None
