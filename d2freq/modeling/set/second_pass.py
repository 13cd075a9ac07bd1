"""The second pass of a step sees what the first one saw, and leaves nothing behind but its losses.

Three things of a detector outlive a forward pass, and would be moved twice a step: numbers kept as
plain attributes (the running mean of positives by which RetinaNet and FCOS divide their losses),
running statistics of batch norm in the heads, which serve the plain features of inference, and the
scalars and pictures in the event storage.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from detectron2.utils.events import EventStorage, get_event_storage
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

__all__ = ["SecondPass"]


class SecondPass:
    """Made before the first pass; the second runs within :meth:`apart`.

    Args:
        detector: any; its modules' attributes that are int, float or bool are remembered.
    """

    def __init__(self, detector: nn.Module) -> None:
        resting = set(detector.get_submodule("backbone").modules())
        self._modules = [module for module in detector.modules() if module not in resting]
        self._before = [_numbers(module) for module in self._modules]

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Begin where the first pass began, and end where it ended.

        So the second pass divides by the first one's running mean, which takes one step, not two.
        Its scalars are stored as "set/<name>"; its pictures are dropped.
        """
        after = [_numbers(module) for module in self._modules]
        storage = _current_storage()
        try:
            self._put_back(self._before)
            for module in self._modules:
                if isinstance(module, _NormBase):
                    module.track_running_stats &= not module.training
            with EventStorage(storage.iter if storage else 0) as own:
                yield
        finally:
            self._put_back(after)
        if storage:
            for name, (value, _) in own.latest().items():
                storage.put_scalar(f"set/{name}", value)

    def _put_back(self, remembered: list[dict[str, Any]]) -> None:
        for module, numbers in zip(self._modules, remembered, strict=True):
            now = _numbers(module)
            for name in now.keys() - numbers.keys():  # the running mean begins with the first step
                delattr(module, name)
            for name, value in numbers.items():
                if now.get(name) != value:
                    setattr(module, name, value)


def _numbers(module: nn.Module) -> dict[str, Any]:
    return {n: value for n, value in vars(module).items() if isinstance(value, int | float)}


def _current_storage() -> EventStorage | None:
    try:
        return get_event_storage()
    except AssertionError:  # a detector that stores nothing needs none
        return None
