"""SGD that clips, for lazy configs: what SOLVER.CLIP_GRADIENTS is to YAML."""

from collections.abc import Iterable
from typing import Any

from detectron2.config import get_cfg
from detectron2.solver.build import maybe_add_gradient_clipping
from torch.optim import SGD, Optimizer

__all__ = ["clipped_sgd"]


def clipped_sgd(
    params: Iterable[Any],
    *,
    lr: float,
    clip_norm: float,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
) -> Optimizer:
    """SGD of torch that first scales each parameter's gradient down to an L2 norm of ``clip_norm``.

    The optimizer that SOLVER.CLIP_GRADIENTS with CLIP_TYPE norm gives: the norm is of one
    parameter, not of all together.
    """
    cfg = get_cfg()
    cfg.SOLVER.CLIP_GRADIENTS.ENABLED = True
    cfg.SOLVER.CLIP_GRADIENTS.CLIP_TYPE = "norm"
    cfg.SOLVER.CLIP_GRADIENTS.CLIP_VALUE = clip_norm
    clipping = maybe_add_gradient_clipping(cfg, SGD)
    return clipping(params, lr=lr, momentum=momentum, weight_decay=weight_decay)
