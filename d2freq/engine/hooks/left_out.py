"""How many objects the augmentations have left out, as metrics of the training."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from detectron2.engine import HookBase
from detectron2.utils import comm
from torch import Tensor

from d2freq.engine.step import Step, step_of

__all__ = ["LeftOut"]


class LeftOut(HookBase):
    """Store "left_out/outside" and "left_out/hardly_visible": objects per image of the batch.

    d2freq.data.augmentation says what they are; batches of other mappers have none.
    """

    def before_train(self) -> None:
        step = step_of(self.trainer)
        if (
            isinstance(step, Step) and self._count not in step.guards
        ):  # a loop of one's own has none
            step.guards.append(self._count)

    def _count(self, step: Step, batches: list[Any], losses: Mapping[str, Tensor]) -> bool:
        """A guard that refuses nothing: it is where the batch is seen."""
        records = [record for batch in batches for record in batch if isinstance(record, dict)]
        counted = [record["left_out"] for record in records if "left_out" in record]
        if counted and comm.is_main_process():
            total: Counter[str] = Counter()
            for each in counted:
                total.update(each)
            for reason in counted[0]:
                self.trainer.storage.put_scalar(f"left_out/{reason}", total[reason] / len(counted))
        return True
