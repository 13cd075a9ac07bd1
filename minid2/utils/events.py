"""What happens during training, kept by name and iteration, and the writers that bring it to the
terminal, a JSON file or tensorboard.
"""

import datetime
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
from fvcore.common.history_buffer import HistoryBuffer

from ..host import logger_of
from .file_io import PathManager

# The innermost `with` is last. Not by thread: metrics may be written from another one.
_active: list["EventStorage"] = []


def get_event_storage() -> "EventStorage":
    """The storage of the innermost ``with EventStorage(...)``; an AssertionError outside."""
    assert _active, "get_event_storage() needs a surrounding 'with EventStorage(...)'"
    return _active[-1]


def has_event_storage() -> bool:
    """Whether there is a surrounding ``with EventStorage(...)``."""
    return bool(_active)


class EventStorage:
    """Scalars and images of a training, each with the iteration it came from."""

    def __init__(self, start_iter: int = 0):
        """Begin at ``start_iter``; ``iter`` is the current iteration, which a trainer sets."""
        self.iter = start_iter
        self._scalars: dict[str, HistoryBuffer] = {}
        self._smoothed: dict[str, bool] = {}
        self._recent: dict[str, tuple[float, int]] = {}
        self._vis_data: list[tuple[str, Any, int]] = []
        self._scope = ""

    def __enter__(self) -> "EventStorage":
        _active.append(self)
        return self

    def __exit__(self, exc_type, exc_val, exc_tb) -> None:
        _active.pop()

    def step(self) -> None:
        """Go on to the next iteration."""
        self.iter += 1

    def put_scalar(
        self, name: str, value: Any, smoothing_hint: bool = True, cur_iter: int | None = None
    ) -> None:
        """Store what ``float`` takes, at the current iteration unless ``cur_iter`` says otherwise.

        ``smoothing_hint``: whether writers should smooth it; always the same for one name.
        """
        name = self._scope + name
        number = float(value)
        known_hint = self._smoothed.setdefault(name, smoothing_hint)
        assert known_hint == smoothing_hint, (
            f"scalar {name!r} was put with smoothing_hint={known_hint} before"
        )
        iteration = self.iter if cur_iter is None else cur_iter
        self._scalars.setdefault(name, HistoryBuffer()).update(number, iteration)
        self._recent[name] = (number, iteration)

    def put_scalars(
        self, *, smoothing_hint: bool = True, cur_iter: int | None = None, **kwargs: Any
    ) -> None:
        """Store several numbers by keyword; see :meth:`put_scalar`."""
        for name, value in kwargs.items():
            self.put_scalar(name, value, smoothing_hint=smoothing_hint, cur_iter=cur_iter)

    @contextmanager
    def name_scope(self, name: str) -> Iterator[None]:
        """Within it every scalar's name begins with ``name/``, in place of an outer scope's."""
        outer, self._scope = self._scope, name.rstrip("/") + "/"
        try:
            yield
        finally:
            self._scope = outer

    def put_image(self, img_name: str, img_tensor: Any) -> None:
        """Store an RGB image (3, H, W): uint8 in 0..255 or float in 0..1."""
        self._vis_data.append((img_name, img_tensor, self.iter))

    def history(self, name: str) -> HistoryBuffer:
        """All stored values of a scalar; a KeyError for a name never put."""
        return self._scalars[name]

    def histories(self) -> dict[str, HistoryBuffer]:
        """All stored values of all scalars."""
        return self._scalars

    def latest(self) -> dict[str, tuple[float, int]]:
        """The last value of each scalar and its iteration."""
        return self._recent

    def latest_with_smoothing_hint(self, window_size: int = 20) -> dict[str, tuple[float, int]]:
        """As :meth:`latest`, but smoothed scalars are medians over ``window_size`` iterations."""
        smoothed = {}
        for name, (value, iteration) in self._recent.items():
            if self._smoothed[name]:
                value = self._scalars[name].median(self.count_samples(name, window_size))
            smoothed[name] = (value, iteration)
        return smoothed

    def count_samples(self, name: str, window_size: int = 20) -> int:
        """How many values of a scalar the last ``window_size`` iterations brought."""
        if name not in self._scalars:
            return 0
        values = self._scalars[name].values()
        newest = values[-1][1]
        return sum(iteration > newest - window_size for _, iteration in values[-window_size:])

    def clear_images(self) -> None:
        """Forget the images; for writers that have written them."""
        self._vis_data = []


class EventWriter:
    """Base of all writers: reads the current event storage and writes it somewhere."""

    def write(self) -> None:
        """Write what is new."""
        raise NotImplementedError

    def close(self) -> None:
        """Release what the writer holds; nothing by default."""


class _ScalarWriter(EventWriter):
    """Writes each scalar once; smoothed ones are medians over ``window_size`` iterations."""

    _written_until = -1

    def __init__(self, window_size: int):
        self._window_size = window_size

    def _new_scalars(self) -> list[tuple[int, dict[str, float]]]:
        """Scalars by name, for each iteration in order."""
        by_iteration: dict[int, dict[str, float]] = defaultdict(dict)
        latest = get_event_storage().latest_with_smoothing_hint(self._window_size)
        for name, (value, iteration) in latest.items():
            if iteration > self._written_until:
                by_iteration[iteration][name] = float(value)
        self._written_until = max(by_iteration, default=self._written_until)
        return sorted(by_iteration.items())


class JSONWriter(_ScalarWriter):
    """One JSON object a line and iteration, with the scalars by name and ``iteration``."""

    def __init__(self, json_file: str, window_size: int = 20):
        """Append to ``json_file``."""
        super().__init__(window_size)
        self._file = PathManager.open(json_file, "a")

    def write(self) -> None:
        """Append the scalars that are new."""
        for iteration, scalars in self._new_scalars():
            line = json.dumps({**scalars, "iteration": iteration}, sort_keys=True)
            self._file.write(line + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TensorboardXWriter(_ScalarWriter):
    """Scalars and images as tensorboard's event files."""

    def __init__(self, log_dir: str, window_size: int = 20, **kwargs: Any):
        """Write into ``log_dir``; ``kwargs`` go to tensorboard's ``SummaryWriter``."""
        super().__init__(window_size)
        self._log_dir, self._options = log_dir, kwargs

    @cached_property
    def _writer(self) -> Any:
        from torch.utils.tensorboard import SummaryWriter  # takes a second

        return SummaryWriter(self._log_dir, **self._options)

    def write(self) -> None:
        """Write the scalars that are new and all images, which are then cleared."""
        for iteration, scalars in self._new_scalars():
            for name, value in scalars.items():
                self._writer.add_scalar(name, value, iteration)
        storage = get_event_storage()
        for name, image, iteration in storage._vis_data:
            self._writer.add_image(name, image, iteration)
        storage.clear_images()

    def close(self) -> None:
        """Close the event file."""
        if "_writer" in vars(self):
            self._writer.close()


class CommonMetricPrinter(EventWriter):
    """Log a line with the time left, the losses, times, learning rate and GPU memory."""

    def __init__(self, max_iter: int | None = None, window_size: int = 20):
        """Print medians over ``window_size``; without ``max_iter`` no time left is known."""
        self.logger = logger_of(__name__)
        self._max_iter = max_iter
        self._last: tuple[int, float] | None = None  # iteration and time of the last line
        self._window_size = window_size

    def write(self) -> None:
        """Log one line; nothing after the last iteration, which has been logged by then."""
        storage = get_event_storage()
        iteration = storage.iter
        if iteration == self._max_iter:
            return
        parts = [f"iter: {iteration}"]
        seconds, now = None, time.perf_counter()
        if "time" in storage.histories():
            # A median, which a slow iteration (a checkpoint, an evaluation) does not move
            seconds = storage.history("time").median(1000)
        elif self._last is not None and iteration > self._last[0]:  # there is no IterationTimer
            seconds = (now - self._last[1]) / (iteration - self._last[0])
        self._last = iteration, now
        if self._max_iter is not None and seconds is not None:
            left = (self._max_iter - iteration - 1) * seconds
            storage.put_scalar("eta_seconds", left, smoothing_hint=False)
            parts.insert(0, f"eta: {datetime.timedelta(seconds=int(left))}")
        for name, buffer in storage.histories().items():
            if "loss" in name or "[metric]" in name:
                samples = storage.count_samples(name, self._window_size)
                parts.append(f"{name}: {buffer.median(samples):.4g}")
        for name in ("time", "data_time"):
            if name in storage.histories():
                buffer = storage.history(name)
                mean = buffer.global_avg() if name == "time" else buffer.avg(self._window_size)
                parts.append(f"{name}: {mean:.4f}  last_{name}: {buffer.latest():.4f}")
        rate = storage.latest().get("lr")
        parts.append(f"lr: {rate[0]:.5g}" if rate else "lr: N/A")
        if torch.cuda.is_available():
            parts.append(f"max_mem: {torch.cuda.max_memory_allocated() / 2**20:.0f}M")
        self.logger.info("  ".join(parts))
