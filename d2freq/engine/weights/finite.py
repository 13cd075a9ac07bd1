"""Weights that are not finite, found before a checkpoint is written or loaded."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from d2freq.errors import UserError

__all__ = ["NonFiniteError", "check_finite", "faults_of", "whole_finite"]

# A buffer may hold an infinity on purpose, as the mask of an attention does; what is trained not.
TRAINED = (".weight", ".bias")


class NonFiniteError(UserError, FloatingPointError):
    """Numbers that are NaN or infinite where a training or a measurement needs real ones."""


def check_finite(state: Mapping[str, Any], *, what: str, cure: str) -> None:
    """Raise NonFiniteError, naming the tensors, where weights are not finite.

    Args:
        state: tensors, arrays, and groups of these, by name; all else is passed over.
        what: whose they are, for the message.
        cure: what to do.
    """
    faults = list(faults_of(state))
    if faults:
        more = f", and {len(faults) - 2} more tensors" if len(faults) > 2 else ""
        raise NonFiniteError(f"{what}: {', '.join(faults[:2])}{more}. {cure}")


def faults_of(state: Any, name: str = "") -> Iterator[str]:
    """A description of each tensor that is not finite: "fc.bias (3 of 6 values are NaN)"."""
    if isinstance(state, Mapping):
        for key, value in state.items():
            yield from faults_of(value, f"{name}.{key}" if name else str(key))
    elif isinstance(state, list | tuple):
        for place, value in enumerate(state):
            yield from faults_of(value, f"{name}.{place}")
    elif isinstance(state, np.ndarray) and state.dtype.kind == "f":
        yield from faults_of(torch.from_numpy(state), name)
    elif isinstance(state, Tensor) and state.is_floating_point() and not whole_finite([state]):
        bad = state.isnan()
        if not bad.any() and f".{name}".endswith(TRAINED):
            bad = state.isinf()
        kind = "NaN" if state.isnan().any() else "infinite"
        if bad.any():
            yield f"{name} ({int(bad.sum())} of {bad.numel()} values are {kind})"


def whole_finite(tensors: list[Tensor]) -> bool:
    """Whether all values are finite, at the price of reading them once."""
    if not tensors or tensors[0].is_meta:
        return True
    norms = torch._foreach_norm(tensors)
    device = norms[0].device
    if bool(torch.stack([norm.to(device, torch.float32) for norm in norms]).sum().isfinite()):
        return True
    # a norm overflows long before its values do
    return all(bool(tensor.isfinite().all()) for tensor in tensors)
