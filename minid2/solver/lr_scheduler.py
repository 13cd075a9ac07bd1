"""fvcore's parameter schedules as torch learning-rate schedulers, with a warm-up in front."""

from typing import Any

from fvcore.common.param_scheduler import (
    CompositeParamScheduler,
    ConstantParamScheduler,
    LinearParamScheduler,
    ParamScheduler,
)
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

__all__ = ["LRMultiplier", "LRScheduler", "WarmupParamScheduler"]


class WarmupParamScheduler(CompositeParamScheduler):
    """Another schedule, preceded by a warm-up that leads into it.

    The warm-up starts at ``warmup_factor`` times the schedule's first value. A linear one ends at
    the value from which the schedule goes on, so that there is no jump.

    Args:
        scheduler: the schedule to follow after the warm-up.
        warmup_factor: where the warm-up starts, as a fraction of ``scheduler(0)``.
        warmup_length: its share of the whole training, in [0, 1].
        warmup_method: "linear", or "constant" to stay at the first value.
        rescale_interval: squeeze the whole of ``scheduler`` into what is left after the warm-up;
            otherwise the warm-up hides its first part.

    Raises:
        ValueError: ``warmup_method`` is neither "linear" nor "constant".
    """

    def __init__(
        self,
        scheduler: ParamScheduler,
        warmup_factor: float,
        warmup_length: float,
        warmup_method: str = "linear",
        rescale_interval: bool = False,
    ) -> None:
        low = scheduler(0.0) * warmup_factor
        if warmup_method == "linear":
            handover = 0.0 if rescale_interval else warmup_length
            warmup: ParamScheduler = LinearParamScheduler(low, scheduler(handover))
        elif warmup_method == "constant":
            warmup = ConstantParamScheduler(low)
        else:
            raise ValueError(
                f"Unknown warm-up method {warmup_method!r}: choose 'linear' or 'constant'."
            )
        super().__init__(
            [warmup, scheduler],
            interval_scaling=["rescaled", "rescaled" if rescale_interval else "fixed"],
            lengths=[warmup_length, 1 - warmup_length],
        )


class LRMultiplier(LRScheduler):
    """Scale the initial learning rate of every parameter group by one common schedule.

    The groups may differ in their rates; the ratio between them stays as it was at the start.

    Args:
        optimizer: its groups' present rates become the base rates.
        multiplier: maps the trained fraction of the run, in [0, 1], to a factor.
        max_iter, last_iter: iterations of the run; the last one finished, -1 before the first.
    """

    def __init__(
        self, optimizer: Optimizer, multiplier: ParamScheduler, max_iter: int, last_iter: int = -1
    ) -> None:
        # The base constructor asks get_lr() for the first rates already.
        self._multiplier = multiplier
        self._max_iter = max_iter
        super().__init__(optimizer, last_epoch=last_iter)

    def get_lr(self) -> list[float]:  # type: ignore[override]
        """The rates of all groups at the present iteration."""
        factor = self._multiplier(self.last_epoch / self._max_iter)
        return [factor * base_lr for base_lr in self.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        """The position and the base rates; the shape of the schedule belongs to the config."""
        return {name: getattr(self, name) for name in ("base_lrs", "last_epoch")}
