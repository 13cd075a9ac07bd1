"""The losses on the test sets, with every evaluation: "validation/total_loss" and each by name."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from detectron2.utils import comm
from detectron2.utils.events import EventStorage
from torch import Tensor, nn

from d2freq.engine.hooks.evaluation import AfterEvaluation
from d2freq.engine.step import step_of
from d2freq.engine.untouched import untouched

__all__ = ["ValidationLoss", "mean_losses"]


class ValidationLoss(AfterEvaluation):
    """Store the mean losses of the test sets; the training goes on as if it had not looked.

    Images, sizes and batches are those of testing, with the ground truth. With several test sets
    each has its name in between: "validation/tiny_scenes_val/total_loss".

    Args:
        eval_period: iterations from one evaluation to the next.
        model: wrapped or not.
        loaders: makes the loaders, by the data set's name.
    """

    def __init__(
        self, eval_period: int, model: nn.Module, loaders: Callable[[], Mapping[str, Any]]
    ) -> None:
        super().__init__(eval_period)
        self._model = getattr(model, "module", model)
        self._loaders = loaders

    def evaluated(self) -> None:
        storage, precision = self.trainer.storage, getattr(step_of(self.trainer), "precision", None)
        with untouched(self._model) as model:
            loaders = self._loaders()
            for name, loader in loaders.items():
                losses = mean_losses(model, loader, precision=precision)
                middle = f"{name}/" if len(loaders) > 1 else ""
                for loss, value in losses.items():
                    storage.put_scalar(f"validation/{middle}{loss}", value, smoothing_hint=False)
        comm.synchronize()


def mean_losses(
    model: nn.Module, loader: Any, *, precision: torch.dtype | None = None
) -> dict[str, float]:
    """The mean losses of a model in training mode, over all records of all processes.

    Args:
        model: takes batches with the ground truth and gives a dict of losses, or one.
        loader: of this process's share.
        precision: of autocast; None for none.

    Returns:
        "total_loss" and each loss by its name; {} where there is no record.
    """
    sums: dict[str, float] = {}
    count = 0
    device = next(model.parameters()).device.type
    for batch in loader:
        casting = torch.autocast(device, dtype=precision) if precision else nullcontext()
        # Models put what they see into the storage, which is about training; SET takes gradients.
        with EventStorage(), casting, torch.enable_grad():
            losses = model(batch)
        if isinstance(losses, Tensor):
            losses = {"total_loss": losses}
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach()) * len(batch)
        count += len(batch)
    parts = comm.all_gather((sums, count))
    total = sum(part[1] for part in parts)
    names = dict.fromkeys(name for part in parts for name in part[0])
    means = {n: sum(part[0].get(n, 0.0) for part in parts) / total for n in names} if total else {}
    if means and "total_loss" not in means:
        means["total_loss"] = sum(means.values())
    return means
