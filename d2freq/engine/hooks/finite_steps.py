"""No update from a loss or a gradient that is not finite: it is left out, or training ends.

One NaN in a gradient makes a NaN of every weight, though the loss was finite, and clipping spreads
it. So gradients are looked at before each update; that costs one pass over them. Under float16 the
gradient scaler leaves such updates out itself and halves its factor, which stays as it is; where
that goes on after the factor has become small, it is no overflow, and training ends, too.
"""

import logging
from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from detectron2.engine import HookBase
from detectron2.utils import comm
from torch import Tensor, nn

from d2freq.engine.step import Step, step_of
from d2freq.engine.weights.finite import NonFiniteError, faults_of, whole_finite

__all__ = ["FiniteSteps"]

logger = logging.getLogger(__name__)

SHOWN = 8  # pictures of a batch that a message names
HALVINGS = 20  # in a row take a scaler from 65536, where it starts, below 0.1


class FiniteSteps(HookBase):
    """Asks before each update whether losses and gradients are finite.

    Args:
        most: how many updates in a row may be left out; 0: the first one ends the training.

    Raises:
        NonFiniteError: in training, naming iteration, loss or parameter, and pictures.
    """

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._in_a_row = self._left_out = 0
        self._buffers: dict[str, Tensor] = {}

    def before_train(self) -> None:
        step = step_of(self.trainer)
        if isinstance(step, Step):  # a loop of one's own has no guards
            step.guards.append(self._allow)

    def before_step(self) -> None:
        """Keep the buffers, such as a batch norm's means, which the forward pass changes."""
        if self._most > 0 and not self._in_a_row:
            model = step_of(self.trainer).model
            self._buffers = {name: each.clone() for name, each in model.named_buffers()}

    def after_step(self) -> None:
        if self._left_out:
            storage = self.trainer.storage
            storage.put_scalar("skipped_steps", self._left_out, smoothing_hint=False)

    def state_dict(self) -> dict[str, Any]:
        return {"left_out": self._left_out} if self._left_out else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._left_out = state["left_out"]

    def _allow(self, step: Step, batches: list[Any], losses: Mapping[str, Tensor]) -> bool:
        scaler = getattr(step, "grad_scaler", None)
        scaled = scaler is not None and scaler.is_enabled()
        if _in_all_processes(_is_finite(step.model, losses), losses):
            self._in_a_row = 0
            return True
        self._in_a_row += 1
        if scaled and self._in_a_row <= self._most + HALVINGS:
            return True
        self._left_out += 1
        said = self._describe(step, batches, losses)
        if scaled or self._in_a_row > self._most:
            raise NonFiniteError(f"{said}. {self._end(step, batches)}")
        logger.warning("%s: this update is left out", said)
        if self._buffers:
            model = step.model
            for name, buffer in model.named_buffers():
                if name in self._buffers:
                    buffer.copy_(self._buffers[name])
        return False

    def _describe(self, step: Step, batches: list[Any], losses: Mapping[str, Tensor]) -> str:
        """The iteration, what is not finite, and in which pictures; asks the other processes."""
        bad = [f"{k} is {float(v.detach()):g}" for k, v in losses.items() if not v.isfinite().all()]
        if bad:
            fault = "the loss is not finite (" + ", ".join(bad) + ")"
        else:
            names = [n for n, grad in _gradients(step.model) if not grad.isfinite().all()]
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            fault = (
                f"the losses are finite, but the gradient of {', '.join(names[:1])}{more} is not"
            )
        pictures, inputs = zip(*comm.all_gather(_look_at(batches)), strict=True)
        broken = [each for found in inputs for each in found]
        if broken:
            fault += f", and neither is the input: {'; '.join(broken[:2])}"
        named = [each for found in pictures for each in found]
        more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
        return f"iteration {step.iter}: {fault}; the batch is {', '.join(named[:SHOWN])}{more}"

    def _end(self, step: Step, batches: list[Any]) -> str:
        before = self._in_a_row - 1
        tried = f" after {before} in a row were left out" if before else ""
        broken = any(inputs for _, inputs in comm.all_gather(_look_at(batches)))
        cure = (
            "Mend the picture, or the augmentation that makes it so"
            if broken
            else "A lower learning rate or clipping (SOLVER.CLIP_GRADIENTS) may help, if it is not "
            "the data"
        )
        return (
            f"Training ends here{tried}; the weights of the last checkpoint are finite. {cure}; "
            "D2FREQ.NONFINITE_STEPS (train.nonfinite_steps) lets single updates be left out"
        )


def _gradients(model: nn.Module) -> list[tuple[str, Tensor]]:
    found = [(name, each.grad) for name, each in model.named_parameters() if each.grad is not None]
    return [(name, grad._values() if grad.is_sparse else grad) for name, grad in found]


def _is_finite(model: nn.Module, losses: Mapping[str, Tensor]) -> bool:
    values = [value.detach() for value in losses.values()]
    return whole_finite([*(grad for _, grad in _gradients(model)), *values])


def _in_all_processes(finite: bool, losses: Mapping[str, Tensor]) -> bool:
    """A loss may be infinite in one process alone; all of them leave the update out, or none."""
    if comm.get_world_size() == 1:
        return finite
    device = next(iter(losses.values())).device
    flag = torch.tensor(int(finite), device=device)
    dist.all_reduce(flag, op=dist.ReduceOp.MIN)
    return bool(flag)


def _look_at(batches: list[Any]) -> tuple[list[str], list[str]]:
    """Names of the pictures of this process, and what of their input is not finite."""
    names, broken = [], []
    for record in (each for batch in batches for each in batch if isinstance(each, dict)):
        known = [str(record["file_name"])] if record.get("file_name") else []
        known += [f"image_id {record['image_id']}"] if "image_id" in record else []
        known += [f"trajectory {record['trajectory_id']}"] if "trajectory_id" in record else []
        name = " ".join(known) or "an input without a name"
        names.append(name)
        content = {key: value for key, value in record.items() if isinstance(value, Tensor)}
        instances = record.get("instances")
        if instances is not None and instances.has("gt_boxes"):
            content["gt_boxes"] = instances.gt_boxes.tensor
        broken += [f"{name}: {fault}" for fault in _faults(content)]
    return names, broken


def _faults(content: Mapping[str, Tensor]) -> list[str]:
    # to a model the pixels are what is trained with: infinities count, as in a weight
    found = faults_of({f"{key}.weight": value for key, value in content.items()})
    return [fault.replace(".weight", "", 1) for fault in found]
