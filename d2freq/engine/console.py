"""A terminal that shows what a person needs, beside a log file that has everything.

Detectron2 prints some 800 lines before the first step: environment, config, model. Here the log
file has them, and the terminal a line or a short form, unless ``--verbose`` asks for all. A record
brings its short form as ``extra={"brief": text}``, "" for none; what the host logs is told apart by
its logger.
"""

import copy
import io
import logging
import sysconfig
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from os.path import isfile
from pathlib import Path
from typing import Any

import detectron2
from detectron2.utils.logger import setup_logger

from d2freq.utils.notices import BRIEF, noted, tell_waiting

__all__ = ["set_up_logs", "warnings_logged"]

LINES = 12  # of a record that is shown whole
SHOWN_OF_DATA = ("Loaded", "Removed")  # beginnings of what is shown of detectron2.data
# warnings at the code of others that a user can do something about, the last of them our own
ACTIONABLE = ("This DataLoader will create", "Image size", "frames reach")

logger = logging.getLogger(__name__)


def set_up_logs(folder: str, rank: int, *, verbose: bool = False) -> None:
    """Let the loggers of the host and of d2freq print, on rank 0, and write ``log.txt``.

    Args:
        folder: of the run; "" for no file.
        rank: of this process.
        verbose: print all that the file has.
    """
    # by the very words with which default_setup calls it: Detectron2 knows a call by its words
    logs = [
        setup_logger(folder, distributed_rank=rank, name="fvcore"),
        setup_logger(folder, distributed_rank=rank),
        setup_logger(folder, distributed_rank=rank, name="d2freq"),
    ]
    tell_waiting()
    seen: set[str] = set()
    for handler in {handler for log in logs for handler in log.handlers}:
        if isinstance(handler, logging.StreamHandler) and not _writes_file(handler):
            _shorten(handler, None if verbose else _Brief(seen))
    for text in noted():
        logger.info("%s", text, extra={BRIEF: ""})
    if folder and rank == 0 and not verbose:
        logger.info("%s has the config, the model and all else that --verbose prints", _log(folder))


def _writes_file(handler: logging.StreamHandler) -> bool:
    """Whether a handler writes a file; Detectron2's have a stream, as those of a terminal.

    One that collects records in memory, such as a test's, keeps them whole, too.
    """
    if isinstance(handler.stream, io.StringIO):
        return True
    name = getattr(handler.stream, "name", None)
    return isinstance(handler, logging.FileHandler) or (isinstance(name, str) and isfile(name))


def _log(folder: str) -> Path:
    return Path(folder) / "log.txt"


def _shorten(handler: logging.Handler, brief: "_Brief | None") -> None:
    """Give a handler another filter in place of the one that it may have."""
    if isinstance(handler.formatter, _Formatter):
        handler.formatter = handler.formatter.usual
    handler.filters = [each for each in handler.filters if not isinstance(each, _Brief)]
    if brief is not None:
        handler.addFilter(brief)
        handler.setFormatter(_Formatter(handler.formatter or logging.Formatter()))


class _Brief(logging.Filter):
    """Lets a record pass that has something to show, a warning once.

    Args:
        seen: what has been shown; handlers share it.
    """

    def __init__(self, seen: set[str]) -> None:
        super().__init__()
        self._seen = seen

    def filter(self, record: logging.LogRecord) -> bool:
        if _brief_of(record) == "":
            return False
        data = record.name.startswith("detectron2.data")
        if record.levelno < logging.WARNING and not data:
            return True
        text = record.getMessage()
        new = text not in self._seen
        self._seen.add(text)
        return new


class _Formatter(logging.Formatter):
    """A handler's usual formatter, which is given a record's short form."""

    def __init__(self, usual: logging.Formatter) -> None:
        super().__init__()
        self.usual = usual

    def format(self, record: logging.LogRecord) -> str:
        brief = _brief_of(record)
        if brief is not None:
            record = copy.copy(record)
            record.msg, record.args = brief, ()
        return self.usual.format(record)


def _brief_of(record: logging.LogRecord) -> str | None:
    """What the terminal shows of a record: None for all of it, "" for nothing."""
    given: Any = getattr(record, BRIEF, None)
    if given is not None:
        return given
    host, _, part = record.name.partition(".")
    if host not in ("detectron2", "fvcore"):
        return None
    text = record.getMessage()
    if record.levelno < logging.WARNING:
        # default_setup logs by the host's own name: environment, command line, config
        if not part or "in csv format" in text or text.startswith("copypaste"):
            return ""
        if part.startswith("data"):
            return None if text.startswith(SHOWN_OF_DATA) and "Removed 0" not in text else ""
    first, *others = text.splitlines() or [""]
    if part.startswith("evaluation") or len(others) < LINES:
        return None
    return f"{first} ({len(others)} more lines are in the log)"


@contextmanager
def warnings_logged() -> Iterator[None]:
    """Python's warnings go to the logs; those of other packages to the file alone.

    A user can do nothing about what one package deprecates in another.
    """

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: Any = None,
        line: str | None = None,
    ) -> None:
        text = warnings.formatwarning(message, category, filename, lineno, line).rstrip()
        others = not str(message).startswith(ACTIONABLE) and _of_others(Path(filename))
        logger.warning("%s", text, extra={BRIEF: ""} if others else {})

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _of_others(file: Path) -> bool:
    """Whether code is neither the user's nor d2freq's."""
    if Path(__file__).parents[1] in file.parents:
        return False
    homes = {Path(sysconfig.get_paths()["stdlib"]), Path(str(detectron2.__file__)).parent}
    return bool(homes & {*file.parents}) or not {"site-packages", "dist-packages"}.isdisjoint(
        file.parts
    )
