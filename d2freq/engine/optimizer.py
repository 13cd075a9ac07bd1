"""The optimizer that D2FREQ.OPTIMIZER names, with Detectron2's parameter groups and clipping."""

import torch
from detectron2.config import CfgNode
from detectron2.solver import build_optimizer as build_sgd
from detectron2.solver.build import get_default_optimizer_params, maybe_add_gradient_clipping

from d2freq.errors import UserError

__all__ = ["OPTIMIZERS", "build_optimizer"]

OPTIMIZERS = ("sgd", "adam")


def build_optimizer(cfg: CfgNode, model: torch.nn.Module) -> torch.optim.Optimizer:
    """SGD as Detectron2 builds it, or Adam by the same keys of SOLVER, momentum apart.

    Raises:
        UserError: another name.
    """
    name = cfg.D2FREQ.OPTIMIZER
    if name == "sgd":
        return build_sgd(cfg, model)
    if name != "adam":
        raise UserError(
            f"D2FREQ.OPTIMIZER: no optimizer {name!r}; choose one of {', '.join(OPTIMIZERS)}"
        )
    solver = cfg.SOLVER
    groups = get_default_optimizer_params(
        model,
        base_lr=solver.BASE_LR,
        weight_decay_norm=solver.WEIGHT_DECAY_NORM,
        bias_lr_factor=solver.BIAS_LR_FACTOR,
        weight_decay_bias=solver.WEIGHT_DECAY_BIAS,
    )
    return maybe_add_gradient_clipping(cfg, torch.optim.Adam)(
        params=groups, lr=solver.BASE_LR, weight_decay=solver.WEIGHT_DECAY
    )
