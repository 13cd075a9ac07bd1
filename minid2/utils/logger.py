"""Loggers that print to the terminal and write a file for each process."""

import copy
import logging
import os
import sys
from collections import Counter
from collections.abc import Mapping

from termcolor import colored

from ..host import ALIAS, within


def setup_logger(
    output: str | None = None,
    distributed_rank: int = 0,
    *,
    color: bool = True,
    name: str = "detectron2",
    abbrev_name: str | None = None,
    enable_propagation: bool = False,
    configure_stdout: bool = True,
) -> logging.Logger:
    """Let a logger and those below it print, on rank 0, and write a file. May be called again.

    Args:
        output: a file that ends with .txt or .log, or a folder for ``log.txt``; the file's name
            gets ``.rankN`` on other ranks. None writes no file.
        distributed_rank: the rank N of this process.
        color: use colours where the output is a terminal.
        name: the logger; minid2's own are below "detectron2".
        abbrev_name: what the name is shortened to; by default "d2" for detectron2.
        enable_propagation: also hand messages to the parent logger.
        configure_stdout: False to leave the terminal alone.
    """
    if abbrev_name is None:
        abbrev_name = "d2" if name == ALIAS else name
    logger = logging.getLogger(name)
    handlers: list[logging.Handler] = []
    streams = [getattr(handler, "stream", None) for handler in logger.handlers]
    if configure_stdout and distributed_rank == 0 and sys.stdout not in streams:
        color = color and sys.stdout.isatty()
        head = "[%(asctime)s %(name)s]:"
        layout = f"%(prefix)s{colored(head, 'green') if color else head} %(message)s"
        handlers.append(logging.StreamHandler(sys.stdout))
        handlers[-1].setFormatter(_Formatter(layout, name, abbrev_name, color))
    if output is not None:
        path = os.path.abspath(output)
        if not path.endswith((".txt", ".log")):
            path = os.path.join(path, "log.txt")
        if distributed_rank > 0:
            path += f".rank{distributed_rank}"
        if path not in [getattr(handler, "baseFilename", None) for handler in logger.handlers]:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            layout = "[%(asctime)s] %(name)s %(levelname)s: %(message)s"
            handlers.append(logging.FileHandler(path))
            handlers[-1].setFormatter(_Formatter(layout, name, abbrev_name))

    logger.setLevel(logging.DEBUG)
    logger.propagate = enable_propagation
    for handler in handlers:
        logger.addHandler(handler)
    return logger


class _Formatter(logging.Formatter):
    """Shortens the names of loggers, and offers the layout a ``prefix`` for the graver levels."""

    def __init__(self, layout: str, name: str, abbreviation: str, color: bool = False):
        super().__init__(layout, datefmt="%m/%d %H:%M:%S")
        self.name, self.abbreviation, self.color = name, abbreviation, color

    def format(self, record: logging.LogRecord) -> str:
        record = copy.copy(record)  # the next handler gets the same one
        if within(record.name, self.name):
            record.name = (self.abbreviation + record.name[len(self.name) :]).lstrip(".")
        record.prefix = ""
        if record.levelno >= logging.WARNING:
            shade = "red" if record.levelno >= logging.ERROR else "yellow"
            level = colored(record.levelname, shade) if self.color else record.levelname
            record.prefix = f"{level} "
        return super().format(record)


def create_small_table(small_dict: Mapping[str, object]) -> str:
    """A mapping of few entries as a table with one row."""
    from tabulate import tabulate

    row = [list(small_dict.values())]
    return tabulate(
        row, list(small_dict), "pipe", floatfmt=".3f", stralign="center", numalign="center"
    )


def log_first_n(
    lvl: int,
    msg: str,
    n: int = 1,
    *,
    name: str | None = None,
    key: str | tuple[str, ...] = "caller",
) -> None:
    """Log the first ``n`` times only.

    Args:
        lvl, msg, n: the level, the message, how often.
        name: the logger; by default the caller's module.
        key: what counts as the same: the line of the "caller", the "message", or both.
    """
    caller = sys._getframe(1)
    module = caller.f_globals["__name__"]
    parts = {"caller": (module, caller.f_lineno), "message": msg}
    seen = tuple(parts[kind] for kind in ((key,) if isinstance(key, str) else key))
    _counts[seen] += 1
    if _counts[seen] <= n:
        logging.getLogger(name or module).log(lvl, msg)


_counts: Counter = Counter()


def _log_api_usage(identifier: str) -> None:
    """Detectron2's authors count uses of their API inside their company; here nobody does."""
