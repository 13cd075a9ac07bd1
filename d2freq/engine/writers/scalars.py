"""What writers of scalars have in common: each value once, those of an iteration together."""

from collections import defaultdict

from detectron2.utils.events import EventWriter, get_event_storage

__all__ = ["ScalarWriter"]


class ScalarWriter(EventWriter):
    """An EventWriter that sends new scalars as ``log(iteration, {name: value})``.

    What Detectron2 smooths is the median over ``window_size`` iterations, as in metrics.json.
    """

    def __init__(self, window_size: int = 20) -> None:
        self._window_size = window_size
        self._sent: dict[str, int] = {}

    def log(self, iteration: int, scalars: dict[str, float]) -> None:
        """Send the scalars of an iteration; later iterations come later."""
        raise NotImplementedError(f"{type(self).__name__} sends nothing")

    def write(self) -> None:
        """Send what is new since the last call."""
        latest = get_event_storage().latest_with_smoothing_hint(self._window_size)
        found: dict[int, dict[str, float]] = defaultdict(dict)
        for name, (value, iteration) in latest.items():
            if self._sent.get(name, -1) < iteration:
                found[iteration][name] = float(value)
                self._sent[name] = iteration
        for iteration in sorted(found):
            self.log(iteration, found[iteration])
