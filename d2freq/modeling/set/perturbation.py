"""API, adversarial perturbation injection (SET, Sec. 3.2).

Shape shorthand: B images, C channels, h x w of a level, M branches of the detector, L_m the loss
of a branch, P_i the feature of a level (B, C, h, w).
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from d2freq.errors import UserError
from d2freq.ops.dct import autocast_off, working_dtype
from d2freq.utils.choices import choice

__all__ = ["NORMS", "check_options", "perturbation"]

NORMS = ("batch", "image")
# Gradients are taken of the loss times the first of these at which all of them are finite: in
# float16 the small ones would otherwise be lost, and what is normalised has no use for its scale.
HALF_SCALES = (2.0**16, 2.0**8, 1.0)


def perturbation(
    losses: Mapping[str, Tensor],
    features: Mapping[str, Tensor],
    *,
    rho: float = 1.0,
    weights: Mapping[str, float] | None = None,
    norm: str = "batch",
) -> dict[str, Tensor]:
    """eps_i = sum over m of lambda_m rho g / ||g||_2 with g = dL_m / dP_i (SET, Eqs. 6 and 8).

    The graph of the losses stays, for the backward that follows. Norms are taken in float32 at
    least, and free of overflow and underflow. Where a gradient does not exist, is zero, or holds
    a NaN or an infinity, its share is zero.

    Args:
        losses: L_m by branch, scalars.
        features: P_i by level; they are what the losses were computed from, not copies.
        rho: the L2 norm that each branch's share has before its weight.
        weights: lambda_m of every branch; None: 1 / M each, as published.
        norm: "batch": over a level of the whole batch, as published; "image": over each image of
            its own, so that every image gets as much as any other.

    Returns:
        eps_i by level: constants without a gradient, with the shape and dtype of P_i.

    Raises:
        UserError: rho below 0 or not finite, an unknown norm, or weights that do not fit the
            branches.
        ValueError: a feature that needs no gradient although autograd is on, as below a frozen
            backbone: it needs ``requires_grad_()`` before the heads run. Under ``no_grad`` there
            are no gradients, and everything is zero.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.set import perturbation
        >>> feature = torch.randn(2, 4, 8, 8, requires_grad=True)
        >>> losses = {"cls": feature.square().mean(), "reg": feature.abs().mean()}
        >>> noise = perturbation(losses, {"p3": feature}, rho=1.0)["p3"]
        >>> tuple(noise.shape), noise.requires_grad
        ((2, 4, 8, 8), False)
    """
    check_options(rho, norm)
    shares = _shares(losses, weights)
    if torch.is_grad_enabled():
        for name, feature in features.items():
            if not feature.requires_grad:
                raise ValueError(
                    f"feature {name} needs no gradient, so no perturbation can be found; call "
                    f"requires_grad_() on it before the heads run"
                )
    total = {
        name: torch.zeros_like(feature, dtype=working_dtype(feature), requires_grad=False)
        for name, feature in features.items()
    }
    for branch, loss in losses.items():
        for name, gradient in _gradients(loss, features).items():
            _add_direction(total[name], gradient, rho * shares[branch], per_image=norm == "image")
    return {name: total[name].to(feature.dtype) for name, feature in features.items()}


def check_options(rho: float, norm: str) -> None:
    """Raise UserError for a size or a norm that :func:`perturbation` does not take."""
    if not isinstance(rho, int | float) or not 0 <= rho < float("inf"):
        raise UserError(f"SET: rho {rho!r} (MODEL.SET.RHO) is not a size; take a number >= 0")
    choice(norm, NORMS, key="SET: norm (MODEL.SET.NORM)")


def _shares(losses: Mapping[str, Tensor], weights: Mapping[str, float] | None) -> dict[str, float]:
    """lambda_m by branch."""
    if weights is None:
        return dict.fromkeys(losses, 1 / max(len(losses), 1))
    if set(weights) != set(losses):
        raise UserError(
            f"SET: branch weights of {', '.join(weights) or 'nothing'} (MODEL.SET.BRANCH_WEIGHTS), "
            f"but the branches are {', '.join(losses)}; give each of them one number"
        )
    return dict(weights)


def _gradients(loss: Tensor, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of the levels that the loss depends on dL / dP_i, times some positive number."""
    if not loss.requires_grad:
        return {}
    for scale in HALF_SCALES if _uses_float16(loss, features) else (1.0,):
        with autocast_off(loss):  # of no use in backward, says torch
            gradients = torch.autograd.grad(
                loss,
                list(features.values()),
                torch.full_like(loss, scale),
                retain_graph=True,
                allow_unused=True,
            )
        found = {
            name: gradient
            for name, gradient in zip(features, gradients, strict=True)
            if gradient is not None
        }
        if scale == 1 or all(bool(gradient.isfinite().all()) for gradient in found.values()):
            break
    return found


def _uses_float16(loss: Tensor, features: Mapping[str, Tensor]) -> bool:
    """Whether the loss may have been computed in float16."""
    kind = loss.device.type
    autocast = torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) == torch.float16
    return autocast or any(feature.dtype == torch.float16 for feature in features.values())


def _add_direction(total: Tensor, gradient: Tensor, size: float, *, per_image: bool) -> None:
    """``total += size * g / ||g||_2`` in the dtype of ``total``, nothing for an unusable ``g``."""
    axes = tuple(range(1 if per_image else 0, gradient.dim()))
    gradient = gradient.to(total.dtype)
    # By the largest number first: squares of small gradients would vanish, of large ones overflow.
    peak = torch.linalg.vector_norm(gradient, float("inf"), axes, keepdim=True)
    usable = (peak > 0) & peak.isfinite()
    gradient = torch.where(usable, gradient, 0).div_(torch.where(usable, peak, 1))
    length = torch.linalg.vector_norm(gradient, 2, axes, keepdim=True)
    total.addcmul_(gradient, size / torch.where(usable, length, 1))
