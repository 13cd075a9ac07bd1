"""Clipped gradients: those that SOLVER.CLIP_GRADIENTS asks for, also of all parameters together.

Detectron2's optimizers clip each value or the norm of each parameter, and know ``full_model`` by
its name alone; a lazy config of it has no clipping at all.
"""

from typing import Any

from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import Optimizer

from d2freq.errors import UserError
from d2freq.utils.choices import choice, did_you_mean

__all__ = ["CLIP_TYPES", "FULL_MODEL", "check_clipping", "clip", "clip_by"]

FULL_MODEL = "full_model"
CLIP_TYPES = ("value", "norm", FULL_MODEL)


def clip(
    optimizer: Optimizer, *, clip_type: str, clip_value: float, norm_type: float = 2.0
) -> Optimizer:
    """Clip the gradients at the start of each of the optimizer's steps.

    It happens after a gradient scaler has unscaled them, and after all processes' gradients have
    been averaged. A fused optimizer unscales within its step: there the limit is scaled instead.

    Args:
        optimizer: of any kind; changed in place.
        clip_type: "value": each number to [-clip_value, clip_value]. "norm": each parameter's norm
            to at most clip_value. "full_model": the norm of all parameters together, which leaves
            the gradient's direction.
        clip_value: above 0.
        norm_type: p of the p-norm; inf for the largest number.

    Returns:
        The same optimizer.

    Raises:
        UserError: see :func:`check_clipping`.
    """
    check_clipping(clip_type, clip_value, norm_type)

    def before_step(this: Optimizer, args: Any, kwargs: Any) -> None:
        parameters = [p for group in this.param_groups for p in group["params"]]
        parameters = [p for p in parameters if p.grad is not None]
        scale = getattr(this, "grad_scale", None)  # by torch's GradScaler, for this step
        limit = clip_value if scale is None else clip_value * float(scale)
        if clip_type == "value":
            clip_grad_value_(parameters, limit)
        elif clip_type == FULL_MODEL:
            clip_grad_norm_(parameters, limit, norm_type=norm_type)
        else:
            for parameter in parameters:
                clip_grad_norm_(parameter, limit, norm_type=norm_type)

    optimizer.register_step_pre_hook(before_step)
    return optimizer


def check_clipping(
    clip_type: str, clip_value: float, norm_type: float, *, prefix: str = ""
) -> None:
    """Refuse what would clip nothing as it is meant.

    Args:
        clip_type, clip_value, norm_type: see :func:`clip`.
        prefix: of the keys, in messages, such as "SOLVER.CLIP_GRADIENTS.".

    Raises:
        UserError: another type, or a number that is not above 0: all updates would be 0, or against
            the gradient.
    """
    choice(clip_type, CLIP_TYPES, key=f"{prefix}CLIP_TYPE")
    if not clip_value > 0:
        raise UserError(
            f"{prefix}CLIP_VALUE {clip_value}: gradients are clipped to a value above 0"
        )
    if not norm_type > 0:
        raise UserError(f"{prefix}NORM_TYPE {norm_type}: p of a p-norm is above 0; 2 is usual")


def clip_by(optimizer: Optimizer, options: dict[str, Any], *, key: str) -> Optimizer:
    """:func:`clip` by the four keys of SOLVER.CLIP_GRADIENTS in small letters.

    Raises:
        UserError: another key, or a value that ``clip`` does not take.
    """
    known = {"enabled": False, "clip_type": "value", "clip_value": 1.0, "norm_type": 2.0}
    for name in options:
        if name not in known:
            raise UserError(f"{key}.{name} is not read{did_you_mean(name, known)}")
    given: dict[str, Any] = {**known, **options}
    return clip(optimizer, **given) if given.pop("enabled") else optimizer
