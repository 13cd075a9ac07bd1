"""What a kind of data asks of training, measuring and checks: one subclass for each kind."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from detectron2.config import CfgNode
from detectron2.data import build_detection_test_loader, build_detection_train_loader
from detectron2.evaluation import DatasetEvaluator
from torch import nn

if TYPE_CHECKING:  # configs ask tasks, so a task must not import them
    from d2freq.engine.config import Config

__all__ = ["Task"]


class Task(ABC):
    """Mapper, loaders, evaluator and checks of one kind of data, and the models that take it.

    A new task is a subclass in a file of its own, and a call of d2freq.engine.tasks.register. Data
    sets name it by the ``evaluator_type`` of their metadata. The mapper, the loaders and the
    evaluator are for YAML configs; a lazy config names its own.
    """

    evaluator_type: ClassVar[str]
    data: ClassVar[str]  # what a data set has, in words: "trajectories"
    takers: ClassVar[str]  # which models take it: "unmixing models take trajectories"
    # what a lazy config's test mapper has to be told so that it keeps the ground truth
    truth_arguments: ClassVar[dict[str, Any]] = {}

    @abstractmethod
    def accepts(self, model: nn.Module) -> bool:
        """Whether a model, also one on device "meta", takes this data."""

    @abstractmethod
    def mapper(self, cfg: CfgNode, *, is_train: bool) -> Callable[[dict], dict]:
        """From a record of the data set to an input of the model."""

    @abstractmethod
    def evaluator(self, cfg: CfgNode, dataset_name: str, output_dir: str) -> DatasetEvaluator:
        """What measures a data set and writes to a folder."""

    @abstractmethod
    def check(
        self, names: Sequence[str], model: nn.Module, config: "Config", *, train: Sequence[str]
    ) -> None:
        """Raise UserError or DatasetError where data sets are faulty or do not fit the model.

        Args:
            names: the data sets of this task that are trained on or measured, each once.
            model: one that the task accepts, on device "meta".
            config: where the model comes from.
            train: those of ``names`` that are trained on.
        """

    def truth_mapper(self, cfg: CfgNode) -> Callable[[dict], dict]:
        """The mapper of testing that keeps the ground truth, where there is some to keep."""
        return self.mapper(cfg, is_train=False)

    def train_loader(self, cfg: CfgNode) -> Any:
        """Endless batches of SOLVER.IMS_PER_BATCH in the order of Detectron2's sampler."""
        # what is not an image with objects has one shape: there is nothing to group
        return build_detection_train_loader(
            cfg, mapper=self.mapper(cfg, is_train=True), aspect_ratio_grouping=False
        )

    def test_loader(self, cfg: CfgNode, dataset_name: str) -> Any:
        """Every record once."""
        return build_detection_test_loader(
            cfg,
            dataset_name,
            mapper=self.mapper(cfg, is_train=False),
            batch_size=self.test_batch(cfg),
        )

    def test_batch(self, cfg: CfgNode) -> int:
        """How many records a batch of testing has."""
        return 1
