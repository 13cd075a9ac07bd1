"""Optimizers: the one that D2FREQ.OPTIMIZER names, and SGD that clips for lazy configs.

Both keep Detectron2's parameter groups and clipping; what SOLVER.CLIP_GRADIENTS is to YAML, the
second is to a lazy config.
"""

from collections.abc import Iterable
from typing import Any

import torch
from detectron2.config import CfgNode, get_cfg
from detectron2.solver import build_optimizer as build_sgd
from detectron2.solver.build import get_default_optimizer_params, maybe_add_gradient_clipping
from torch.optim import SGD, Optimizer

from d2freq.engine.parameters.clipping import FULL_MODEL, check_clipping, clip
from d2freq.trainer_config import trainer_keys
from d2freq.utils.choices import choice
from d2freq.utils.own_keys import own_keys

__all__ = ["OPTIMIZERS", "build_optimizer", "clipped_sgd"]


OPTIMIZERS = ("sgd", "adam", "adamw")


def build_optimizer(cfg: CfgNode, model: torch.nn.Module) -> torch.optim.Optimizer:
    """SGD as Detectron2 builds it, or Adam or AdamW by the same keys of SOLVER, momentum apart.

    Adam adds the weight decay to the gradient, AdamW takes it off the weights. Beside Detectron2's
    two, SOLVER.CLIP_GRADIENTS.CLIP_TYPE may be "full_model".

    Raises:
        UserError: another name, another CLIP_TYPE, or a CLIP_VALUE or NORM_TYPE not above 0.
    """
    clipping = cfg.SOLVER.CLIP_GRADIENTS
    if clipping.ENABLED:
        check_clipping(
            clipping.CLIP_TYPE,
            clipping.CLIP_VALUE,
            clipping.NORM_TYPE,
            prefix="SOLVER.CLIP_GRADIENTS.",
        )
    if clipping.ENABLED and clipping.CLIP_TYPE == FULL_MODEL:
        unclipped = cfg.clone()
        unclipped.defrost()
        unclipped.SOLVER.CLIP_GRADIENTS.ENABLED = False
        return clip(
            build_optimizer(unclipped, model),
            clip_type=FULL_MODEL,
            clip_value=clipping.CLIP_VALUE,
            norm_type=clipping.NORM_TYPE,
        )
    named = own_keys(cfg, "D2FREQ", trainer_keys()).OPTIMIZER
    if choice(named, OPTIMIZERS, key="D2FREQ.OPTIMIZER") == "sgd":
        return build_sgd(cfg, model)
    solver = cfg.SOLVER
    groups = get_default_optimizer_params(
        model,
        base_lr=solver.BASE_LR,
        weight_decay_norm=solver.WEIGHT_DECAY_NORM,
        bias_lr_factor=solver.BIAS_LR_FACTOR,
        weight_decay_bias=solver.WEIGHT_DECAY_BIAS,
    )
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[named]
    return maybe_add_gradient_clipping(cfg, kind)(
        params=groups, lr=solver.BASE_LR, weight_decay=solver.WEIGHT_DECAY
    )


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
