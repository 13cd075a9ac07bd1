"""One process writes to a folder: a lock file that says who, and that outlives nobody.

The file ``.d2freq.lock`` names host, process and start. It is stale, and is taken over with a
warning, when its process is gone, or when that process's number belongs to another one by now. A
process of another machine, or of before this one started anew, cannot be asked: its lock counts
for as long as it is touched, which the holder does every minute, so that one whose machine was
lost holds nobody up for more than minutes.
"""

import atexit
import json
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from d2freq.errors import UserError

if os.name == "posix":
    import fcntl

logger = logging.getLogger(__name__)

__all__ = ["LOCK_FILE", "FolderLock", "Locked", "locked"]

LOCK_FILE = ".d2freq.lock"
TOUCH_SECONDS = 60.0
SILENT_SECONDS = 600.0  # a lock of another machine that nobody has touched for so long is stale

_held: dict[str, "FolderLock"] = {}  # of this process, by the folder's real path


class Locked(UserError):
    """Another process is at work in the folder; the message says which, and the cure."""


class FolderLock:
    """The right to write to a folder, from :meth:`acquire` to :meth:`release` or the process's end.

    A process may take the lock of a folder several times; the last release gives it back.

    Args:
        folder: it is made if missing.
        purpose: what this process does there, in words: "training".
    """

    def __init__(self, folder: str | os.PathLike, purpose: str) -> None:
        self.folder = Path(folder)
        self.path = self.folder / LOCK_FILE
        self.purpose = purpose
        self._token = secrets.token_hex(8)
        self._count = 0
        self._made = False
        self._stop = threading.Event()

    def acquire(self) -> "FolderLock":
        """Take the lock.

        Raises:
            Locked: another process has it.
            UserError: the folder cannot be made or written to.
        """
        try:
            self._made = not self.folder.exists()
            self.folder.mkdir(parents=True, exist_ok=True)
            key = os.path.realpath(self.folder)
            held = _held.get(key)
            if held is not None and held._is_mine():
                held._count += 1
                return held
            with _one_at_a_time(self.folder):
                self._take()
        except (FileExistsError, NotADirectoryError) as error:
            raise UserError(
                f"{self.folder}: is a file, or lies below one, and cannot be a folder for output; "
                "name another"
            ) from error
        except OSError as error:
            raise UserError(
                f"{self.path}: cannot be written: {error.strerror or error}; name another folder "
                "for output, or correct its permissions"
            ) from error
        self._count, _held[key] = 1, self
        atexit.register(self._forget)
        threading.Thread(target=self._touch, name="d2freq-lock", daemon=True).start()
        return self

    def release(self) -> None:
        """Give the lock back; without having it, and in a forked process, nothing happens."""
        self._count -= 1
        if self._count <= 0:
            self._forget()

    def _forget(self) -> None:
        self._stop.set()
        if not self._is_mine():
            return
        with suppress(OSError):
            self.path.unlink()
            if self._made:  # a run that was refused leaves no empty folder
                self.folder.rmdir()
        _held.pop(os.path.realpath(self.folder), None)
        atexit.unregister(self._forget)

    def _is_mine(self) -> bool:
        owner = _read(self.path)
        return owner.get("token") == self._token and owner.get("pid") == os.getpid()

    def _take(self) -> None:
        draft = self.path.with_name(f"{LOCK_FILE}.{self._token}")
        draft.write_text(json.dumps(self._description(), indent=2) + "\n", encoding="utf-8")
        try:
            if not _place(draft, self.path):
                owner = _read(self.path)
                reason = _why_stale(owner, self.path, draft)
                if reason is None:
                    raise Locked(_who(self.folder, self.path, owner))
                logger.warning("%s: a former lock is taken over: %s", self.path, reason)
                self.path.unlink(missing_ok=True)
                if not _place(draft, self.path):  # a process of another machine was quicker
                    raise Locked(_who(self.folder, self.path, _read(self.path)))
        finally:
            draft.unlink(missing_ok=True)

    def _description(self) -> dict[str, Any]:
        return {
            "purpose": self.purpose,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": time.strftime("%Y-%m-%d %H:%M:%S"),
            "process": _process_start(os.getpid()),
            "machine": _machine(),
            "token": self._token,
        }

    def _touch(self) -> None:
        while not self._stop.wait(TOUCH_SECONDS):
            with suppress(OSError):
                os.utime(self.path)


@contextmanager
def locked(folder: str | os.PathLike, purpose: str) -> Iterator[None]:
    """Hold the lock of a folder for a ``with`` block; see :class:`FolderLock`."""
    lock = FolderLock(folder, purpose).acquire()
    try:
        yield
    finally:
        lock.release()


def _place(draft: Path, path: Path) -> bool:
    """Give a finished file the lock's name too, unless that is there: never half a lock."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        try:
            with open(path, "x", encoding="utf-8") as file:
                file.write(draft.read_text(encoding="utf-8"))
        except FileExistsError:
            return False
    return True


def _read(path: Path) -> dict[str, Any]:
    """What the lock says; {} where it is gone or cannot be read."""
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _why_stale(owner: dict[str, Any], path: Path, now: Path) -> str | None:
    """Why a lock holds nobody up, None where it does.

    Args:
        now: a file that has just been written beside it: the time of the file's own server.
    """
    pid = owner.get("pid")
    if not isinstance(pid, int):
        return "it cannot be read"
    silent = 0.0
    with suppress(FileNotFoundError):
        silent = now.stat().st_mtime - path.stat().st_mtime
    boot, numbers = owner.get("machine", ["", ""])
    our_boot, our_numbers = _machine()
    if owner.get("host") != socket.gethostname() or numbers != our_numbers:
        return f"{_name(owner)} is silent" if silent > SILENT_SECONDS else None
    if boot != our_boot:  # started anew, unless it is another machine of the same name
        return f"{_name(owner)} ended with its machine" if silent > 3 * TOUCH_SECONDS else None
    if not _exists(pid):
        return f"{_name(owner)} is gone"
    if owner.get("process") != _process_start(pid):
        return f"{_name(owner)} is gone, its number belongs to another process"
    return None


def _name(owner: dict[str, Any]) -> str:
    return (
        f"process {owner.get('pid')} on {owner.get('host')} ({owner.get('purpose')}, since "
        f"{owner.get('started')})"
    )


def _who(folder: Path, path: Path, owner: dict[str, Any]) -> str:
    who = _name(owner) if owner else "another process, this very moment,"
    return (
        f"{folder}: {who} is at work in this folder, and two would mix their files: wait for it, "
        f"stop it, or name another folder. If it is gone for certain, delete {path}"
    )


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return _status(pid)[:1] != ["Z"]  # one that has ended, and that nobody has asked after


def _process_start(pid: int) -> str:
    """When a process began, in the kernel's own count; "" where the system does not tell."""
    fields = _status(pid)
    return fields[19] if len(fields) > 19 else ""


def _status(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on; [] where the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()  # behind the name, which may hold anything


def _machine() -> list[str]:
    """What differs after a start of this machine, and the space that process numbers are of."""
    found = ["", ""]
    with suppress(OSError):
        found[0] = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    with suppress(OSError):
        found[1] = os.readlink("/proc/self/ns/pid")
    return found


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let one process of this machine judge a lock at a time, so that no two take over one."""
    if os.name != "posix":
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network folders cannot
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
