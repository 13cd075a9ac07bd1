"""Run a function over many files: several processes, a bar, in order, and resumable.

A ``Job`` keeps what is finished in a folder of parts, one line an item, until its output is
written. The same job goes on from there; with another key (source, options) it starts anew, and an
item whose own files have changed is done again. A second process at the same job is refused.
"""

import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

from tqdm import tqdm

from d2freq.errors import UserError
from d2freq.utils.files import read_json, write_json
from d2freq.utils.lock import FolderLock


@dataclass(frozen=True)
class Item:
    """One call of the function.

    Attributes:
        name: what messages call it, the path of its file; unique in a job.
        argument: what the function is given; it must pickle.
        sources: files that the result is made of; another time or size has it done again.
    """

    name: str
    argument: Any
    sources: tuple[str | os.PathLike, ...] = ()


@dataclass(frozen=True)
class Failure:
    """An item that could not be done, and why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return self.reason if self.name in self.reason else f"{self.name}: {self.reason}"


class FailedItems(UserError):
    """Items that could not be done, all of them in ``failures``; the message names the first."""

    def __init__(self, failures: Sequence[Failure], total: int) -> None:
        self.failures = list(failures)
        more = f"; and {len(failures) - 3} more" if len(failures) > 3 else ""
        first = "; ".join(map(str, failures[:3]))
        super().__init__(
            f"{len(failures)} of {total} files failed: {first}{more}. Nothing is written; correct "
            "or remove them, and the same command goes on with these alone"
        )


class Job:
    """The finished part of a job, kept in a folder until the ``with`` block ends without an error.

    Args:
        parts: the folder, ``parts_of(output)``.
        key: all that the results depend on beyond the items' own sources: the path of the source,
            options, ``stamp`` of a file that serves all items. JSON types.
    """

    def __init__(self, parts: str | os.PathLike, *, key: dict) -> None:
        self.parts = Path(parts)
        self.key = json.loads(json.dumps(key, default=str))

    def __enter__(self) -> "Job":
        self._lock = FolderLock(self.parts, "making what these parts are of").acquire()
        try:
            if read_key(self.parts) != self.key:
                for part in self.parts.iterdir():
                    if part.is_dir():
                        shutil.rmtree(part)
                    elif part != self._lock.path:
                        part.unlink()
                write_json(self.parts / "key.json", self.key)
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._lock.release()
        if kind is None:
            shutil.rmtree(self.parts, ignore_errors=True)

    def run(
        self,
        function: Callable[[Any], Any],
        items: Sequence[Item],
        *,
        workers: int | None = None,
        intact: Callable[[Any, Any], bool] | None = None,
        label: str = "files",
        progress: bool = True,
    ) -> list[Any]:
        """``[function(item.argument) for item in items]``, what is finished already left out.

        Args:
            function: picklable (a function of a module, or a partial of one); its result is of
                JSON types. The results do not depend on the number of processes.
            workers: processes, by default one a core.
            intact: (argument, result) -> whether the files that a finished item wrote are there.

        Raises:
            FailedItems: ``function`` raised UserError or OSError for some; all others are done.
            UserError: ``workers`` below one, or a process was killed.
            RuntimeError: ``function`` raised anything else; the message names the item.
        """
        workers = cores() if workers is None else workers
        if workers < 1:
            raise UserError(f"workers={workers}: at least one process is needed")
        stamps = {item.name: [stamp(path) for path in item.sources] for item in items}
        if len(stamps) < len(items):
            raise ValueError("two items of a job have the same name")
        log = self.parts / "done.jsonl"
        found = _read_log(log)
        done: dict[str, Any] = {}
        for item in items:
            made, result = found.get(item.name, (None, None))
            whole = made == stamps[item.name] and (intact is None or intact(item.argument, result))
            if whole:
                done[item.name] = result
        todo = [item for item in items if item.name not in done]
        failures: dict[str, str] = {}
        finished = _attempts(function, todo, workers)
        bar = tqdm(
            total=len(items), initial=len(done), desc=label, unit="img", disable=not progress
        )
        with closing(finished), bar, open(log, "a", encoding="ascii", newline="\n") as file:
            for name, text, reason in finished:
                if reason is None:
                    done[name] = json.loads(text)
                    file.write(f"[{json.dumps(name)},{json.dumps(stamps[name])},{text}]\n")
                    file.flush()
                else:
                    failures[name] = reason
                bar.update()
        if failures:
            named = [Failure(i.name, failures[i.name]) for i in items if i.name in failures]
            raise FailedItems(named, len(items))
        return [done[item.name] for item in items]


def parts_of(output: str | os.PathLike) -> Path:
    """Where the finished parts of ``output`` are kept: ``<output>.parts``."""
    path = Path(output)
    return path.with_name(path.name + ".parts")


def read_key(parts: Path) -> dict | None:
    """The key of the job begun in the folder ``parts``; None where there is none."""
    return read_json(parts / "key.json")


def stamp(path: str | os.PathLike) -> list[int] | None:
    """What changes when a file does: time in nanoseconds and size in bytes; None without a file."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return [status.st_mtime_ns, status.st_size]


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read_log(log: Path) -> dict[str, tuple[Any, Any]]:
    """Item name -> (stamps, result); a line that was cut off by an interruption is dropped."""
    lines = log.read_text(encoding="ascii").split("\n") if log.is_file() else [""]
    if lines[-1]:  # else the next line would be written on to the half of one
        with open(log, "a", encoding="ascii", newline="\n") as file:
            file.write("\n")
    found = {}
    for line in lines:
        try:
            name, stamps, result = json.loads(line)
        except ValueError:
            continue
        found[name] = (stamps, result)
    return found


def _attempts(
    function: Callable, items: Sequence[Item], workers: int
) -> Generator[tuple[str, str, str | None], None, None]:
    """(name, result as JSON, reason of the failure) of each item, as they are finished."""
    workers = min(workers, len(items) // 4)  # a process costs more than a few items
    if workers <= 1:
        for item in items:
            yield _attempt(function, item)
        return
    # small chunks keep all processes busy to the end, and few messages go between them
    size = max(1, min(16, len(items) // (4 * workers)))
    chunks = [items[start : start + size] for start in range(0, len(items), size)]
    context = _clean_processes()
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_ignore_interrupt)
    try:
        for future in as_completed([pool.submit(_attempt_all, function, c) for c in chunks]):
            yield from future.result()
    except BrokenProcessPool as error:
        raise UserError(
            "a worker process was killed (out of memory?); the same command goes on from here, "
            "with --workers 1 in one process"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _clean_processes() -> BaseContext:
    """Processes that inherit nothing: forked after OpenCV has worked in threads, they may hang."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # the slow imports once, not in every process
    return context


def _ignore_interrupt() -> None:
    # Ctrl-C reaches the whole group; the parent alone decides when to stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _attempt_all(function: Callable, items: Sequence[Item]) -> list[tuple[str, str, str | None]]:
    return [_attempt(function, item) for item in items]


def _attempt(function: Callable, item: Item) -> tuple[str, str, str | None]:
    try:
        return item.name, json.dumps(function(item.argument)), None
    except (UserError, OSError) as error:
        return item.name, "", str(error)
    except Exception as error:
        raise RuntimeError(f"{item.name}: {type(error).__name__}: {error}") from error
