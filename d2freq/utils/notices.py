"""Notices that a process gives once, however often their reason comes up.

A config is read several times before a training's log file is there: what is told by then is kept
here, so that the log can have it, too.
"""

import logging
import os

__all__ = ["BRIEF", "later", "note", "notice", "noted", "tell_waiting"]

# what the terminal shows of a record in place of its text, as extra={BRIEF: ...}; "" for nothing
BRIEF = "brief"

_noted: list[str] = []
_waiting: dict[str, logging.Logger] = {}


def notice(logger: logging.Logger, text: str) -> None:
    """Log a warning, the first time that it comes in this process.

    Of the processes of one training, as torchrun starts them, the first one tells it for all.
    """
    if text not in _noted:
        _noted.append(text)
        if os.environ.get("RANK", "0") == "0":
            logger.warning("%s", text)


def later(logger: logging.Logger, text: str) -> None:
    """Keep a notice for tell_waiting: a command first says what it does.

    One that nobody asks for, since it does not matter to the command, is never told.
    """
    _waiting[text] = logger


def tell_waiting() -> None:
    """Give the notices that wait."""
    for text, logger in _waiting.items():
        notice(logger, text)
    _waiting.clear()


def note(*texts: str) -> None:
    """Keep what was told otherwise, or in the process that has started this one."""
    _noted.extend(text for text in texts if text not in _noted)


def noted() -> list[str]:
    """All of them, in order."""
    return list(_noted)
