"""What happens during training, kept by name and iteration, and read by the event writers."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from fvcore.common.history_buffer import HistoryBuffer

from .event_writers import CommonMetricPrinter, EventWriter, JSONWriter, TensorboardXWriter

__all__ = [
    "CommonMetricPrinter",
    "EventStorage",
    "EventWriter",
    "JSONWriter",
    "TensorboardXWriter",
    "get_event_storage",
    "has_event_storage",
]

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
    """Scalars, images and histograms of a training, each with the iteration it came from."""

    def __init__(self, start_iter: int = 0):
        """Begin at the iteration ``start_iter``."""
        self._iter = start_iter
        self._prefix = ""
        self._scalars: dict[str, HistoryBuffer] = defaultdict(HistoryBuffer)
        self._smoothed: dict[str, bool] = {}
        self._recent: dict[str, tuple[float, int]] = {}
        self._vis_data: list[tuple[str, Any, int]] = []
        self._histograms: list[dict[str, Any]] = []

    def __enter__(self) -> "EventStorage":
        _active.append(self)
        return self

    def __exit__(self, exc_type, exc_val, exc_tb) -> None:
        assert _active.pop() is self, "EventStorage contexts were left in another order"

    @property
    def iter(self) -> int:
        """The current iteration; a trainer sets it before each step."""
        return self._iter

    @iter.setter
    def iter(self, value: int) -> None:
        self._iter = int(value)

    @property
    def iteration(self) -> int:
        """The same as ``iter``, under its older name."""
        return self._iter

    def step(self) -> None:
        """Go on to the next iteration."""
        self._iter += 1

    @contextmanager
    def name_scope(self, name: str) -> Iterator[None]:
        """Scalars put inside get the name ``name/...``; an inner scope replaces an outer one."""
        outer = self._prefix
        self._prefix = name.rstrip("/") + "/"
        try:
            yield
        finally:
            self._prefix = outer

    def put_scalar(
        self, name: str, value: Any, smoothing_hint: bool = True, cur_iter: int | None = None
    ) -> None:
        """Store a number.

        Args:
            name: the scalar's name.
            value: anything that ``float`` takes.
            smoothing_hint: whether writers should smooth it; always the same for one name.
            cur_iter: the iteration it belongs to, by default the current one.
        """
        name, number = self._prefix + name, float(value)
        known_hint = self._smoothed.setdefault(name, smoothing_hint)
        assert known_hint == smoothing_hint, (
            f"scalar {name!r} was put with smoothing_hint={known_hint} before"
        )
        iteration = self._iter if cur_iter is None else cur_iter
        self._scalars[name].update(number, iteration)
        self._recent[name] = (number, iteration)

    def put_scalars(
        self, *, smoothing_hint: bool = True, cur_iter: int | None = None, **kwargs: Any
    ) -> None:
        """Store several numbers by keyword; see :meth:`put_scalar`."""
        for name, value in kwargs.items():
            self.put_scalar(name, value, smoothing_hint=smoothing_hint, cur_iter=cur_iter)

    def put_image(self, img_name: str, img_tensor: Any) -> None:
        """Store an RGB image (3, H, W): uint8 in 0..255 or float in 0..1."""
        self._vis_data.append((img_name, img_tensor, self._iter))

    def put_histogram(self, hist_name: str, hist_tensor: torch.Tensor, bins: int = 1000) -> None:
        """Store the histogram of a tensor of any shape, in ``bins`` equal steps."""
        values = hist_tensor.detach().float()
        low, high = (float(bound) for bound in values.aminmax())
        # Raw histograms of tensorboard carry the upper ends of the bins
        ends = torch.linspace(low, high, bins + 1)[1:]
        self._histograms.append(
            {
                "tag": hist_name,
                "min": low,
                "max": high,
                "num": values.numel(),
                "sum": float(values.sum()),
                "sum_squares": float((values * values).sum()),
                "bucket_limits": ends.tolist(),
                "bucket_counts": torch.histc(values, bins=bins).tolist(),
                "global_step": self._iter,
            }
        )

    def history(self, name: str) -> HistoryBuffer:
        """All stored values of a scalar; a KeyError for a name never put."""
        if name not in self._scalars:
            raise KeyError(f"no scalar {name!r} has been put; there are {sorted(self._scalars)}")
        return self._scalars[name]

    def histories(self) -> dict[str, HistoryBuffer]:
        """All stored values of all scalars."""
        return self._scalars

    def smoothing_hints(self) -> dict[str, bool]:
        """For each scalar whether it is noisy and should be smoothed."""
        return self._smoothed

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
        values = self._scalars[name].values() if name in self._scalars else []
        if not values:
            return 0
        newest = values[-1][1]
        return sum(iteration > newest - window_size for _, iteration in values[-window_size:])

    def clear_images(self) -> None:
        """Forget the images; for writers that have written them."""
        self._vis_data = []

    def clear_histograms(self) -> None:
        """Forget the histograms; for writers that have written them."""
        self._histograms = []
