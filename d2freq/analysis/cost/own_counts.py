"""What each module of a model computes itself, without the modules that it calls."""

from collections import defaultdict
from types import TracebackType
from typing import Any

from torch import nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["OwnCounts"]


class OwnCounts:
    """A context that shares a counter's operations out to the modules that run.

    By calls, not by names: a module may call one that belongs to another, as the decoder of DINO
    calls its heads, and torch's own count of a module holds whatever runs within its call.

    Args:
        counter: entered before.
        model: whose modules are told apart; those around it have no count.

    Attributes:
        found: module name -> operations of its own.
    """

    def __init__(self, counter: FlopCounterMode, model: nn.Module) -> None:
        self._counter = counter
        self._names = {module: name for name, module in model.named_modules()}
        self._running: list[str] = []
        self._reached = 0  # the counter's total at the last change of module
        self._hooks: list[Any] = []
        self.found: dict[str, int] = defaultdict(int)

    def __enter__(self) -> "OwnCounts":
        self._hooks = [
            register_module_forward_pre_hook(self._begin),
            register_module_forward_hook(self._end),
        ]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for hook in self._hooks:
            hook.remove()

    def _begin(self, module: nn.Module, _inputs: Any) -> None:
        if module in self._names:
            self._share_out()
            self._running.append(self._names[module])

    def _end(self, module: nn.Module, _inputs: Any, _outputs: Any) -> None:
        if module in self._names:
            self._share_out()
            self._running.pop()

    def _share_out(self) -> None:
        total = self._counter.get_total_flops()
        if self._running:
            self.found[self._running[-1]] += total - self._reached
        self._reached = total
