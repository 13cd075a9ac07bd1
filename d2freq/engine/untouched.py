"""A look at a model in training mode that leaves no trace: weights, statistics, random state."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

__all__ = ["untouched"]

# ruff: noqa: NPY002 - the global generator is the one that augmentations draw from

PLAIN = (bool, int, float, str, type(None))


@contextmanager
def untouched(model: nn.Module, *, seed: int = 0) -> Iterator[nn.Module]:
    """The model in training mode, so that it gives losses, but as in evaluation otherwise.

    Batch norms use their statistics and do not move them; dropout is off; what is drawn at random
    (regions that are sampled) comes from ``seed``, the same in each block. When the block ends,
    modes, buffers, plain attributes of modules (such as RetinaNet's running normaliser), gradients
    and all random generators are what they were.
    """
    modes = {module: module.training for module in model.modules()}
    kept = {module: _state(module) for module in model.modules()}
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    gradients = {parameter: parameter.grad for parameter in model.parameters()}
    generators = random.getstate(), np.random.get_state(), torch.get_rng_state()
    on_gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    try:
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        model.train()
        for module in modes:
            if isinstance(module, (_BatchNorm, _DropoutNd)):
                module.eval()
        yield model
    finally:
        for module, state in kept.items():
            for name in _state(module).keys() - state.keys():
                del vars(module)[name]
            vars(module).update(state)
            module.training = modes[module]
        with torch.no_grad():
            for name, value in model.named_buffers():
                value.copy_(buffers[name])
        for parameter, gradient in gradients.items():
            parameter.grad = gradient
        random.setstate(generators[0])
        np.random.set_state(generators[1])
        torch.set_rng_state(generators[2])
        if on_gpus:
            torch.cuda.set_rng_state_all(on_gpus)


def _state(module: nn.Module) -> dict[str, Any]:
    """Numbers and tensors that a module keeps outside of its parameters and buffers."""
    found: dict[str, Any] = {}
    for name, value in vars(module).items():
        if isinstance(value, torch.Tensor):
            found[name] = value.detach().clone()
        elif isinstance(value, PLAIN):
            found[name] = value
    return found
