"""Writers that bring the events of a training to the terminal, a JSON file or tensorboard."""

import datetime
import json
import logging
import os
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import torch

from .file_io import PathManager

if TYPE_CHECKING:
    from .events import EventStorage


class EventWriter:
    """Base of all writers: reads the current event storage and writes it somewhere."""

    def write(self) -> None:
        """Write what is new."""
        raise NotImplementedError

    def close(self) -> None:
        """Release what the writer holds; nothing by default."""


def _current_storage() -> "EventStorage":
    from .events import get_event_storage  # events.py offers the writers, and imports this file

    return get_event_storage()


class _NewScalars:
    """Gives each scalar out once, in the order of iterations."""

    def __init__(self, window_size: int) -> None:
        self.window_size = window_size
        self.written_until = -1

    def take(self) -> list[tuple[int, dict[str, float]]]:
        by_iteration: dict[int, dict[str, float]] = defaultdict(dict)
        latest = _current_storage().latest_with_smoothing_hint(self.window_size)
        for name, (value, iteration) in latest.items():
            if iteration > self.written_until:
                by_iteration[iteration][name] = float(value)
        self.written_until = max(by_iteration, default=self.written_until)
        return sorted(by_iteration.items())


class JSONWriter(EventWriter):
    """One JSON object a line and iteration, with the scalars by name and ``iteration``."""

    def __init__(self, json_file: str, window_size: int = 20):
        """Append to ``json_file``; smoothed scalars are medians over ``window_size``."""
        self._file = PathManager.open(json_file, "a")
        self._new = _NewScalars(window_size)

    def write(self) -> None:
        """Append the scalars that are new, and put them on disk."""
        for iteration, scalars in self._new.take():
            line = json.dumps({**scalars, "iteration": iteration}, sort_keys=True)
            self._file.write(line + "\n")
        self._file.flush()
        try:
            os.fsync(self._file.fileno())
        except OSError:  # files of other path handlers may have no descriptor
            logging.getLogger(__name__).debug("%s cannot be synchronised", self._file)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TensorboardXWriter(EventWriter):
    """Scalars, images and histograms as tensorboard's event files."""

    def __init__(self, log_dir: str, window_size: int = 20, **kwargs: Any):
        """Write into ``log_dir``; ``kwargs`` go to tensorboard's ``SummaryWriter``."""
        self._log_dir, self._options = log_dir, kwargs
        self._new = _NewScalars(window_size)
        self._writer: Any = None

    def _board(self) -> Any:
        if self._writer is None:  # importing tensorboard takes a second
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(self._log_dir, **self._options)
        return self._writer

    def write(self) -> None:
        """Write the scalars that are new and all images and histograms, which are then cleared."""
        storage, board = _current_storage(), self._board()
        for iteration, scalars in self._new.take():
            for name, value in scalars.items():
                board.add_scalar(name, value, iteration)
        for name, image, iteration in storage._vis_data:
            board.add_image(name, image, iteration)
        for histogram in storage._histograms:
            board.add_histogram_raw(**histogram)
        storage.clear_images()
        storage.clear_histograms()

    def close(self) -> None:
        """Close the event file."""
        if self._writer is not None:
            self._writer.close()


class CommonMetricPrinter(EventWriter):
    """Log a line with the time left, the losses, times, learning rate and GPU memory."""

    def __init__(self, max_iter: int | None = None, window_size: int = 20):
        """Print medians over ``window_size``; without ``max_iter`` no time left is known."""
        self.logger = logging.getLogger(__name__.replace("event_writers", "events"))
        self._max_iter = max_iter
        self._window_size = window_size
        self._previous: tuple[int, float] | None = None  # iteration and time of the last line

    def write(self) -> None:
        """Log one line; nothing after the last iteration, which has been logged by then."""
        storage = _current_storage()
        iteration = storage.iter
        if iteration == self._max_iter:
            return
        parts = [self._time_left(storage), f"iter: {iteration}"]
        for name, buffer in storage.histories().items():
            if "loss" in name or "[metric]" in name:
                samples = storage.count_samples(name, self._window_size)
                parts.append(f"{name}: {buffer.median(samples):.4g}")
        parts += self._times(storage)
        rate = storage.latest().get("lr")
        parts.append(f"lr: {rate[0]:.5g}" if rate else "lr: N/A")
        if torch.cuda.is_available():
            parts.append(f"max_mem: {torch.cuda.max_memory_allocated() / 2**20:.0f}M")
        self.logger.info("  ".join(part for part in parts if part))

    def _time_left(self, storage: "EventStorage") -> str:
        if self._max_iter is None:
            return ""
        to_come = self._max_iter - storage.iter - 1
        now, before = (storage.iter, time.perf_counter()), self._previous
        self._previous = now
        if "time" in storage.histories():
            # A median, which a slow iteration (a checkpoint, an evaluation) does not move
            seconds = to_come * storage.history("time").median(1000)
            storage.put_scalar("eta_seconds", seconds, smoothing_hint=False)
        elif before is not None and now[0] > before[0]:
            seconds = to_come * (now[1] - before[1]) / (now[0] - before[0])
        else:
            return ""
        return f"eta: {datetime.timedelta(seconds=int(seconds))}"

    def _times(self, storage: "EventStorage") -> list[str]:
        parts = []
        for name in ("time", "data_time"):
            if name in storage.histories():
                buffer = storage.history(name)
                whole = name == "time"
                mean = buffer.global_avg() if whole else buffer.avg(self._window_size)
                parts += [f"{name}: {mean:.4f}", f"last_{name}: {buffer.latest():.4f}"]
        return parts
