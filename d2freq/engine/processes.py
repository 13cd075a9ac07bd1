"""The processes of a training: started, told of signals, and ended as one."""

import argparse
import multiprocessing
import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from torch.multiprocessing import ProcessExitedException, ProcessRaisedException

from d2freq.engine.hooks.stopping import SIGNALS
from d2freq.engine.launch import launch, place_in
from d2freq.engine.run import run
from d2freq.errors import UserError

__all__ = ["is_first", "start_processes"]


def is_first(arguments: argparse.Namespace) -> bool:
    """Whether this process speaks for the whole training: it locks the folder."""
    place = place_in(os.environ)
    return place.rank == 0 if place else arguments.machine_rank == 0


def start_processes(arguments: argparse.Namespace) -> None:
    """Run a training, or an evaluation, in as many processes as the command line asks for.

    Raises:
        UserError: one of them raised it.
        SystemExit: a signal has stopped them; its code is 128 + the signal's number.
    """
    if place_in(os.environ) or arguments.num_gpus * arguments.num_machines <= 1:
        launch(run, arguments)
        return
    with _passing_on() as heard:
        try:
            launch(run, arguments)
        except ProcessRaisedException as error:
            found = re.search(r"^d2freq\.errors\.\w+: (.*)", str(error), re.MULTILINE | re.DOTALL)
            if found is None:
                raise
            raise UserError(found[1].strip()) from error
        except ProcessExitedException as error:
            code = error.exit_code
            if not heard and code not in [128 + number for number in SIGNALS]:
                raise
            raise SystemExit(128 - code if code < 0 else code) from error
        if heard:  # before the processes listened: there was nothing to save
            raise SystemExit(128 + heard[0])


@contextmanager
def _passing_on() -> Iterator[list[int]]:
    """Pass signals on to the processes that this one has started, and wait for them.

    Yields:
        The signals that have come.
    """
    heard: list[int] = []

    def hear(number: int, frame: Any) -> None:
        heard.append(number)
        for child in multiprocessing.active_children():
            if child.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(child.pid, number)

    if threading.current_thread() is not threading.main_thread():
        yield heard
        return
    before = {number: signal.signal(number, hear) for number in SIGNALS}
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
