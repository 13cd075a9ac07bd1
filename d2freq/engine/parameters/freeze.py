"""Parameters that are not trained, by patterns of their names."""

import logging
import types
from collections.abc import Sequence

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from d2freq.engine.parameters.patterns import matching
from d2freq.errors import UserError

__all__ = ["freeze"]

logger = logging.getLogger(__name__)


def freeze(model: nn.Module, patterns: Sequence[str], *, key: str = "D2FREQ.FREEZE") -> None:
    """Leave parameters as they are, and the statistics of batch norms all of whose are.

    Such a batch norm stays in evaluation mode, whatever mode the model is in: with moving
    statistics, frozen layers would still change what they give.

    Args:
        model: changed in place, before its optimizer is built.
        patterns: see :mod:`d2freq.engine.parameters.patterns`; none changes nothing.
        key: where they were given, for messages.

    Raises:
        UserError: a pattern matches nothing, or nothing is left to train.
    """
    parameters = dict(model.named_parameters())
    for pattern in patterns:
        names = matching(model, pattern, key=key)
        for name in names:
            parameters[name].requires_grad_(False)
        count = sum(parameters[name].numel() for name in names)
        logger.info("%s: %r freezes %d tensors, %d numbers", key, pattern, len(names), count)
    if not patterns:
        return
    if not any(parameter.requires_grad for parameter in parameters.values()):
        raise UserError(f"{key}: {', '.join(patterns)} leave nothing to train")
    for module in model.modules():
        own = list(module.parameters(recurse=False))
        if isinstance(module, _BatchNorm) and own and not any(p.requires_grad for p in own):
            module.eval()
            module.train = types.MethodType(_stay, module)  # type: ignore[method-assign]


def _stay(module: nn.Module, mode: bool = True) -> nn.Module:
    """``train`` of a module that stays in evaluation mode."""
    return module
