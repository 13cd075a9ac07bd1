"""Which parameter gets which learning rate and weight decay."""

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

# BatchNorm and InstanceNorm of every dimension (and SyncBatchNorm) share _NormBase.
_NORM_LAYERS = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.LocalResponseNorm)

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
    bias_options: dict[str, float] = {}
    bias_factor = 1.0 if bias_lr_factor is None else bias_lr_factor
    if base_lr is None:
        if bias_factor != 1.0 or lr_factor_func is not None:
            raise ValueError("bias_lr_factor and lr_factor_func require base_lr")
    elif bias_factor != 1.0:
        bias_options["lr"] = base_lr * bias_factor
    if weight_decay_bias is not None:
        bias_options["weight_decay"] = weight_decay_bias
    by_name = dict(overrides or {})
    if bias_options:
        if "bias" in by_name:
            raise ValueError(
                "Conflicting overrides for 'bias': give either overrides['bias'] or "
                "bias_lr_factor / weight_decay_bias."
            )
        by_name["bias"] = bias_options

    groups: dict[frozenset, ParamGroup] = {}  # few of them make the fused updates faster
    for full_name, param in model.named_parameters():
        if not param.requires_grad:
            continue
        owner, _, own_name = full_name.rpartition(".")
        options: ParamGroup = {}
        if base_lr is not None:
            options["lr"] = base_lr * (lr_factor_func(full_name) if lr_factor_func else 1.0)
        decay = weight_decay
        if weight_decay_norm is not None and isinstance(model.get_submodule(owner), _NORM_LAYERS):
            decay = weight_decay_norm
        if decay is not None:
            options["weight_decay"] = decay
        options.update(by_name.get(own_name, {}))
        group = groups.setdefault(frozenset(options.items()), {**options, "params": []})
        group["params"].append(param)
    return list(groups.values())
