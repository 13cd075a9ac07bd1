"""Loggers that print to the terminal and write a file for each process."""

import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping

from ..host import ALIAS, HOME

__all__ = ["log_every_n", "log_every_n_seconds", "log_first_n", "setup_logger"]

ABBREVIATION = "d2"

_calls: Counter = Counter()
_last_logged: dict[tuple, float] = {}


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
        name: the logger. "detectron2" stands for minid2's own loggers as well.
        abbrev_name: what the name is shortened to; by default "d2" for detectron2.
        enable_propagation: also hand messages to the parent logger.
        configure_stdout: False to leave the terminal alone.
    """
    # Modules of minid2 log under their own name, and are one with Detectron2 to the user.
    names = (ALIAS, HOME) if name in (ALIAS, HOME) else (name,)
    if abbrev_name is None:
        abbrev_name = ABBREVIATION if name in (ALIAS, HOME) else name
    logger = logging.getLogger(name)
    handlers: list[logging.Handler] = []
    if configure_stdout and distributed_rank == 0 and not _has_stream(logger, sys.stdout):
        terminal = logging.StreamHandler(sys.stdout)
        colored = color and sys.stdout.isatty()
        terminal.setFormatter(_TerminalFormatter(names, abbrev_name, colored))
        handlers.append(terminal)
    if output is not None:
        path = os.path.abspath(output)
        if not path.endswith((".txt", ".log")):
            path = os.path.join(path, "log.txt")
        if distributed_rank > 0:
            path += f".rank{distributed_rank}"
        if not any(getattr(handler, "baseFilename", None) == path for handler in logger.handlers):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            file = logging.FileHandler(path)
            file.setFormatter(_FileFormatter(names, abbrev_name))
            handlers.append(file)

    for each in map(logging.getLogger, names):
        each.setLevel(logging.DEBUG)
        each.propagate = enable_propagation
        for handler in handlers:
            each.addHandler(handler)
    return logger


def _has_stream(logger: logging.Logger, stream) -> bool:
    return any(getattr(handler, "stream", None) is stream for handler in logger.handlers)


class _FileFormatter(logging.Formatter):
    layout = "[%(asctime)s] %(name)s %(levelname)s: %(message)s"

    def __init__(self, names: tuple[str, ...], abbreviation: str) -> None:
        super().__init__(self.layout, datefmt="%m/%d %H:%M:%S")
        self.names, self.abbreviation = names, abbreviation

    def format(self, record: logging.LogRecord) -> str:
        full = record.name
        for name in self.names:
            if full == name or full.startswith(name + "."):
                record.name = (self.abbreviation + full[len(name) :]).lstrip(".")
        try:
            return super().format(record)
        finally:
            record.name = full  # the next handler gets the same record


class _TerminalFormatter(_FileFormatter):
    layout = "[%(asctime)s %(name)s]: %(message)s"
    prefixes = ((logging.ERROR, "ERROR", "red"), (logging.WARNING, "WARNING", "yellow"))

    def __init__(self, names: tuple[str, ...], abbreviation: str, color: bool) -> None:
        super().__init__(names, abbreviation)
        self.color = color

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        head, separator, text = line.partition("]: ")
        line = self._paint(head + separator, "green") + text
        for level, prefix, color in self.prefixes:
            if record.levelno >= level:
                return f"{self._paint(prefix, color)} {line}"
        return line

    def _paint(self, text: str, color: str) -> str:
        if not self.color:
            return text
        from termcolor import colored

        return colored(text, color, force_color=True)


def create_small_table(small_dict: Mapping[str, object]) -> str:
    """A mapping of few entries as a table with one row."""
    from tabulate import tabulate

    return tabulate(
        [list(small_dict.values())],
        headers=list(small_dict),
        tablefmt="pipe",
        floatfmt=".3f",
        stralign="center",
        numalign="center",
    )


def _caller(depth: int) -> tuple[str, tuple]:
    """The module and the line that called the function ``depth`` frames above this one."""
    frame = sys._getframe(depth + 1)
    module = frame.f_globals.get("__name__", "root")
    if module == "__main__":
        module = ALIAS  # a script logs with the library, else nobody sees it
    return module, (frame.f_code.co_filename, frame.f_lineno)


def log_first_n(
    lvl: int, msg: str, n: int = 1, *, name: str | None = None, key: str | tuple = "caller"
) -> None:
    """Log the first ``n`` times only.

    Args:
        lvl: the level, such as ``logging.WARNING``.
        msg: the text.
        n: how often.
        name: the logger; by default that of the calling module.
        key: what makes two calls the same: "caller" (the line), "message", or both in a tuple.
    """
    keys = (key,) if isinstance(key, str) else tuple(key)
    assert set(keys) <= {"caller", "message"}, f"key is 'caller' or 'message', got {key}"
    module, line = _caller(1)
    identity = tuple({"caller": line, "message": msg}[part] for part in keys)
    _calls[identity] += 1
    if _calls[identity] <= n:
        logging.getLogger(name or module).log(lvl, msg)


def log_every_n(lvl: int, msg: str, n: int = 1, *, name: str | None = None) -> None:
    """Log the first of every ``n`` calls from a line; arguments as :func:`log_first_n`."""
    module, line = _caller(1)
    _calls["every", line] += 1
    if n == 1 or _calls["every", line] % n == 1:
        logging.getLogger(name or module).log(lvl, msg)


def log_every_n_seconds(lvl: int, msg: str, n: int = 1, *, name: str | None = None) -> None:
    """Log from a line at most once in ``n`` seconds; arguments as :func:`log_first_n`."""
    module, line = _caller(1)
    now = time.monotonic()
    if line not in _last_logged or now - _last_logged[line] >= n:
        _last_logged[line] = now
        logging.getLogger(name or module).log(lvl, msg)


def _log_api_usage(identifier: str) -> None:
    """Detectron2 counts the use of its parts here; minid2 does not."""
