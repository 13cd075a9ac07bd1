"""No step on an object of a class that the model does not know.

Before training the classes of data sets that say theirs are counted. What is registered without
them, or what a mapper of one's own makes of them, is seen in the batches alone.
"""

from typing import Any

from detectron2.engine import HookBase

from d2freq.engine.config import Config
from d2freq.engine.step import Step, step_of
from d2freq.engine.tasks.detection import classes_of
from d2freq.modeling.ground_truth import check_classes_of_records

__all__ = ["KnownClasses"]


class KnownClasses(HookBase):
    """Looks at each batch of images with objects before the model does.

    Raises:
        DatasetError: in training, naming picture, class, data sets and key.
    """

    def __init__(self, config: Config) -> None:
        self._config = config

    def before_train(self) -> None:
        step = step_of(self.trainer)
        if isinstance(step, Step):  # a loop of one's own has no checks
            step.checks.append(self._check)

    def _check(self, step: Step, batch: Any) -> None:
        model: Any = getattr(step.model, "module", step.model)
        known = classes_of(model)
        if known is None or not isinstance(batch, list):
            return
        records = [record for record in batch if isinstance(record, dict)]
        key, data = self._config.class_key, ", ".join(self._config.train_sets())
        check_classes_of_records(records, known, key=key, data=data, ignores=True)
