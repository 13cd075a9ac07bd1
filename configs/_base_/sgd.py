"""SGD as Detectron2's YAML defaults have it, and a multi-step schedule with linear warm-up."""

from detectron2.config import LazyCall as L
from detectron2.solver.build import get_default_optimizer_params
from fvcore.common.param_scheduler import MultiStepParamScheduler
from torch.optim import SGD

from detectron2.solver.lr_scheduler import WarmupParamScheduler  # isort: skip

optimizer = L(SGD)(
    # train_net.py sets params.model
    params=L(get_default_optimizer_params)(weight_decay_norm=0.0),
    lr=0.005,
    momentum=0.9,
    weight_decay=0.0001,
)


def multi_step(*, max_iter: int, steps: list[int], warmup: int):
    """Decay by 10 at each of ``steps``, after ``warmup`` iterations from lr / 1000."""
    return L(WarmupParamScheduler)(
        scheduler=L(MultiStepParamScheduler)(
            values=[0.1**i for i in range(len(steps) + 1)],
            milestones=steps,
            num_updates=max_iter,
        ),
        warmup_factor=0.001,
        warmup_length=warmup / max_iter,
        warmup_method="linear",
    )
