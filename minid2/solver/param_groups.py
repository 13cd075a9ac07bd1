"""Which parameter gets which learning rate and weight decay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

# BatchNorm and InstanceNorm of every dimension (and SyncBatchNorm) share _NormBase.
_NORM_LAYERS: tuple[type[nn.Module], ...] = (
    _NormBase,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.LocalResponseNorm,
)

ParamGroup = dict[str, Any]


def get_default_optimizer_params(
    model: nn.Module,
    base_lr: float | None = None,
    weight_decay: float | None = None,
    weight_decay_norm: float | None = None,
    bias_lr_factor: float | None = 1.0,
    weight_decay_bias: float | None = None,
    lr_factor_func: Callable[[str], float] | None = None,
    overrides: dict[str, dict[str, float]] | None = None,
) -> list[ParamGroup]:
    """Parameter groups for an optimizer; without any option, one group with every parameter.

    Frozen parameters are left out and shared ones appear once. Of the rules that touch one
    parameter, the later of this list wins: ``weight_decay``, ``weight_decay_norm``,
    ``base_lr`` (with ``lr_factor_func``), and last the rules by name.

    Args:
        model: the module to train.
        base_lr: learning rate of every group; None leaves it to the optimizer.
        weight_decay: likewise for the weight decay.
        weight_decay_norm: weight decay of the normalization layers' own parameters.
        bias_lr_factor: biases learn at ``base_lr`` times this factor.
        weight_decay_bias: weight decay of parameters that are called ``bias``.
        lr_factor_func: maps a parameter's full name to a factor on ``base_lr``.
        overrides: maps a parameter's own name ("bias", not "conv.bias") to the options that it
            gets, for example ``{"embedding": {"lr": 0.01, "weight_decay": 0.1}}``.

    Returns:
        Groups in order of first use; parameters with equal options share one.

    Raises:
        ValueError: a factor is given without ``base_lr``, or ``overrides`` has an entry for
            "bias" beside the bias arguments.
    """
    by_name = dict(overrides or {})
    bias_options = _bias_options(base_lr, bias_lr_factor, weight_decay_bias)
    if bias_options:
        if "bias" in by_name:
            raise ValueError(
                "Conflicting overrides for 'bias': give either overrides['bias'] or "
                "bias_lr_factor / weight_decay_bias."
            )
        by_name["bias"] = bias_options
    if lr_factor_func is not None and base_lr is None:
        raise ValueError("lr_factor_func requires base_lr")

    groups: list[ParamGroup] = []
    for module, full_name, own_name, param in _trainable_parameters(model):
        options: ParamGroup = {}
        if base_lr is not None:
            factor = 1.0 if lr_factor_func is None else lr_factor_func(full_name)
            options["lr"] = base_lr * factor
        decay = weight_decay
        if weight_decay_norm is not None and isinstance(module, _NORM_LAYERS):
            decay = weight_decay_norm
        if decay is not None:
            options["weight_decay"] = decay
        options.update(by_name.get(own_name, {}))
        groups.append({**options, "params": [param]})
    return reduce_param_groups(groups)


def reduce_param_groups(params: list[ParamGroup]) -> list[ParamGroup]:
    """Merge groups whose options are equal; fewer groups make the fused updates faster.

    Args:
        params: groups as optimizers take them; ``params`` of a group may be one tensor.

    Returns:
        Merged groups in order of first use, the parameters in the order given.
    """
    merged: dict[frozenset, ParamGroup] = {}
    for group in params:
        options = {key: value for key, value in group.items() if key != "params"}
        members = group["params"]
        if isinstance(members, torch.Tensor):
            members = [members]
        target = merged.setdefault(frozenset(options.items()), {**options, "params": []})
        target["params"].extend(members)
    return list(merged.values())


def _bias_options(
    base_lr: float | None, factor: float | None, weight_decay: float | None
) -> dict[str, float]:
    options: dict[str, float] = {}
    if factor is not None and factor != 1.0:
        if base_lr is None:
            raise ValueError("bias_lr_factor requires base_lr")
        options["lr"] = base_lr * factor
    if weight_decay is not None:
        options["weight_decay"] = weight_decay
    return options


def _trainable_parameters(
    model: nn.Module,
) -> Iterator[tuple[nn.Module, str, str, nn.Parameter]]:
    """Yield (owner, full name, own name, parameter), each trainable parameter once."""
    for full_name, param in model.named_parameters():
        if param.requires_grad:
            owner, _, own_name = full_name.rpartition(".")
            yield model.get_submodule(owner), full_name, own_name, param
