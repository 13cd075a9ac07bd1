"""What modules change while they train and Detectron2's checkpoints leave out.

A loss normaliser that is a plain number (RetinaNet, FCOS), a buffer that is not persistent, a
random generator of a module's own: without them a resumed training goes on a little differently.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from d2freq.utils.own_generators import OwnGenerators

__all__ = ["ModuleStates"]

NUMBERS = (bool, int, float)
OF_TORCH = {*vars(nn.Module()), "training"}


class ModuleStates:
    """Numbers, passing buffers and generators of a model's modules, as far as they have changed.

    What has not changed since this was made stays out, so that a number that the config sets, such
    as a threshold, is the config's after resuming too.

    Args:
        model: wrapped for distributed training or not.
    """

    def __init__(self, model: nn.Module) -> None:
        whole = model.module if isinstance(model, DistributedDataParallel) else model
        self._modules: dict[str, nn.Module] = dict(whole.named_modules())
        self._numbers_before = self._numbers()
        self._buffers_before = {name: value.clone() for name, value in self._buffers().items()}
        self._generators = {
            name: found
            for name, module in self._modules.items()
            if len(found := OwnGenerators(_attributes(module)))
        }
        self._restored: set[tuple[str, str]] = set()

    def state_dict(self) -> dict[str, Any]:
        """Numbers and tensors by the module's name and the attribute's."""
        numbers: dict[str, dict[str, Any]] = {}
        for (name, attribute), value in self._numbers().items():
            key = (name, attribute)
            if key in self._restored or self._numbers_before.get(key) != value:
                numbers.setdefault(name, {})[attribute] = value
        buffers = {
            name: value.cpu()
            for name, value in self._buffers().items()
            if name not in self._buffers_before or not _equal(value, self._buffers_before[name])
        }
        generators = {name: found.pack().decode() for name, found in self._generators.items()}
        return {"numbers": numbers, "buffers": buffers, "generators": generators}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Set them; modules and buffers that this model lacks are left out."""
        for name, attributes in state["numbers"].items():
            for attribute, value in attributes.items() if name in self._modules else ():
                setattr(self._modules[name], attribute, value)
                self._restored.add((name, attribute))
        buffers = self._buffers()
        for name, value in state["buffers"].items():
            if name in buffers and buffers[name].shape == value.shape:
                buffers[name].copy_(value)
                self._buffers_before.pop(name, None)  # belongs into the next state, too
        for name, packed in state["generators"].items():
            if name in self._generators:
                self._generators[name].unpack(packed.encode())

    def _numbers(self) -> dict[tuple[str, str], Any]:
        return {
            (name, attribute): value
            for name, module in self._modules.items()
            for attribute, value in vars(module).items()
            if type(value) in NUMBERS and attribute not in OF_TORCH
        }

    def _buffers(self) -> dict[str, Tensor]:
        return {
            f"{name}.{attribute}": buffer
            for name, module in self._modules.items()
            for attribute in module._non_persistent_buffers_set
            if (buffer := module._buffers.get(attribute)) is not None
        }


def _attributes(module: nn.Module) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if name not in OF_TORCH}


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool(torch.equal(one, other.to(one.device)))
