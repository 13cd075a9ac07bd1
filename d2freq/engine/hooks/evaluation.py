"""What hooks that stand behind an evaluation have in common: its time, its metrics, their record.

Each metric is looked up under the name that metrics.json has: "bbox/AP50", "ema/bbox/AP",
"validation/total_loss".
"""

import logging
import math

from detectron2.engine import HookBase
from detectron2.utils import comm

from d2freq.errors import UserError
from d2freq.utils.choices import choice, did_you_mean
from d2freq.utils.files import read_json, write_json
from d2freq.utils.random_states import kept_random_states

__all__ = ["AfterEvaluation", "Watched", "non_negative", "told_by_main"]

logger = logging.getLogger(__name__)


class AfterEvaluation(HookBase):
    """A hook that acts whenever EvalHook has evaluated; it has to stand behind it.

    Args:
        period: of the evaluations in iterations, 0 for one at the end alone.
    """

    def __init__(self, period: int) -> None:
        self._period = period

    def evaluated(self) -> None:
        """What to do; called in every process."""
        raise NotImplementedError(f"{type(self).__name__} does nothing")

    def after_step(self) -> None:
        done = self.trainer.iter + 1
        if self._period > 0 and done % self._period == 0 and done != self.trainer.max_iter:
            with kept_random_states():  # the checkpoint of this iteration has them as they are
                self.evaluated()

    def after_train(self) -> None:
        if self.trainer.iter >= self.trainer.max_iter:
            self.evaluated()


class Watched:
    """The values that a metric has had, kept in a file, so that a resumed training knows them.

    A checkpoint is saved before the evaluation of its iteration, so its state would lack it.

    Args:
        metric: its name; see the module.
        mode: "max" or "min": what is better.
        file: of the record, a JSON file in the output folder.
        key: where the metric was named, for messages.

    Raises:
        UserError: another mode.
    """

    def __init__(self, metric: str, mode: str, file: str, *, key: str) -> None:
        self.metric, self.mode, self.file = metric, choice(mode, ("max", "min"), key=key), file
        self._key = key
        self.values: list[tuple[int, float | None]] = []  # None: NaN, or not measured

    def begin(self, start_iter: int, *, forget_later: bool) -> None:
        """Read the record of a training that goes on at ``start_iter``; a new one has none.

        Args:
            forget_later: leave out what was measured behind that, and will be measured again.
        """
        known = read_json(self.file) if start_iter > 0 else None
        same = known and (known.get("metric"), known.get("mode")) == (self.metric, self.mode)
        values = known["values"] if known and same else []
        self.values = [(i, v) for i, v in values if i <= start_iter or not forget_later]

    def look(self, latest: dict[str, tuple[float, int]], iteration: int) -> float | None:
        """The metric's new value, which joins ``values``; None where there is none, or NaN.

        Args:
            latest: of an EventStorage.
            iteration: of the evaluation.
        """
        value, when = latest.get(self.metric, (math.nan, -1))
        if when != iteration:
            others = [name for name, (_, at) in latest.items() if at == iteration and "/" in name]
            near = did_you_mean(self.metric, others) or f"; there are {', '.join(sorted(others))}"
            logger.warning("%s: the evaluation has no %s%s", self._key, self.metric, near)
        elif not math.isfinite(value):
            logger.warning("%s: %s is %s, which is passed over", self._key, self.metric, value)
        found = float(value) if when == iteration and math.isfinite(value) else None
        self.values = [entry for entry in self.values if entry[0] != iteration]
        self.values.append((iteration, found))
        return found

    def save(self, **more: object) -> None:
        """Write the record; the main process alone."""
        about = {"metric": self.metric, "mode": self.mode, "values": self.values}
        write_json(self.file, {**about, **more}, indent=1)

    def better(self, value: float, than: float, *, by: float = 0.0) -> bool:
        """Whether a value is better than another, by more than ``by``."""
        return value > than + by if self.mode == "max" else value < than - by

    def best(self) -> tuple[int, float] | None:
        """The first best (iteration, value) so far."""
        known = [(when, value) for when, value in self.values if value is not None]
        pick = max if self.mode == "max" else min
        return pick(known, key=lambda entry: entry[1], default=None)


def told_by_main(value: float) -> float:
    """What the main process says, in every process; each has to call it."""
    return comm.all_gather(value)[0]


def non_negative(value: float, key: str) -> None:
    """Raise UserError for a number below 0."""
    if value < 0:
        raise UserError(f"{key} {value}: it is 0 or more")
