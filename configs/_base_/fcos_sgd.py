"""SGD and warm-up of fcos_R50_FPN.yaml."""

from detectron2.config import LazyCall as L
from detectron2.solver.build import get_default_optimizer_params

from d2freq.engine.solver import clipped_sgd

from .sgd import multi_step

optimizer = L(clipped_sgd)(
    params=L(get_default_optimizer_params)(
        base_lr="${..lr}", weight_decay_norm=0.0, bias_lr_factor=2.0, weight_decay_bias=0.0
    ),
    lr=0.005,
    momentum=0.9,
    weight_decay=0.0001,
    clip_norm=35.0,
)


def constant_warmup(*, max_iter: int, steps: list[int], warmup: int = 10000):
    """The schedule of multi_step, behind ``warmup`` iterations at a third of the rate."""
    schedule = multi_step(max_iter=max_iter, steps=steps, warmup=warmup)
    schedule.warmup_method = "constant"
    schedule.warmup_factor = 0.3333333333333333
    return schedule
