"""What training and measuring need of each kind of data: detection, unmixing, classification."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from detectron2.data import MetadataCatalog
from torch import nn

from d2freq.engine.tasks.classification import Classification
from d2freq.engine.tasks.detection import Detection
from d2freq.engine.tasks.task import Task
from d2freq.engine.tasks.unmixing import Unmixing
from d2freq.errors import UserError

if TYPE_CHECKING:
    from d2freq.engine.config import Config

__all__ = ["Task", "check_data", "register", "task_of"]

DETECTION = Detection()
_TASKS: dict[str, Task] = {}


def register(task: Task) -> Task:
    """Make a task known by its evaluator_type; data sets of any other type are detection's."""
    _TASKS[task.evaluator_type] = task
    return task


def task_of(dataset_name: str) -> Task:
    """The task of a registered data set, by the ``evaluator_type`` of its metadata."""
    return _TASKS.get(MetadataCatalog.get(dataset_name).get("evaluator_type"), DETECTION)


def check_data(
    names: Sequence[str], model: nn.Module, config: "Config", *, train: Sequence[str]
) -> None:
    """Check the data sets against the model, each by its task.

    Args:
        names: registered data sets, each once; ``train``: those of them that are trained on.
        model: as the config builds it, on device "meta".

    Raises:
        UserError: the model takes other data, or other classes, optics, masks than there are.
        DatasetError: a faulty file or folder.
    """
    taker = next((task for task in _TASKS.values() if task.accepts(model)), DETECTION)
    for name in names:
        if task_of(name) is not taker:
            takers = ", ".join(task.takers for task in (*_TASKS.values(), DETECTION))
            raise UserError(
                f"data set {name} has {task_of(name).data}, which {type(model).__name__} does not "
                f"take: {takers}; set {config.sets_key} or {config.model_key}"
            )
    taker.check(names, model, config, train=train)


register(Unmixing())
register(Classification())
