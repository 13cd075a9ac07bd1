"""Detectron2's DefaultTrainer with tiny-object evaluation and strict loading, for YAML configs."""

import weakref
from contextlib import suppress
from typing import Any

from detectron2.checkpoint import DetectionCheckpointer
from detectron2.config import CfgNode
from detectron2.engine import DefaultTrainer, HookBase
from detectron2.evaluation import DatasetEvaluator, verify_results
from detectron2.utils import comm
from detectron2.utils.events import EventWriter
from torch import nn
from torch.optim import Optimizer

from d2freq.engine.config import YamlConfig
from d2freq.engine.hooks import Run, with_own_hooks
from d2freq.engine.hooks.early_stopping import StoppedEarly
from d2freq.engine.hooks.saving import check_space
from d2freq.engine.hooks.writing import tolerant
from d2freq.engine.log_model import log_model
from d2freq.engine.resume import ConfiguredOptions, not_its_optimizer, say_start
from d2freq.engine.step import take_over
from d2freq.engine.tasks import task_of
from d2freq.engine.weights.strict import StrictCheckpointer
from d2freq.engine.weights.torchvision import TorchvisionCheckpointer
from d2freq.engine.writers import own_writers
from d2freq.errors import UserError
from d2freq.idle_keys import keys_are_read
from d2freq.utils.random_states import kept_random_states

__all__ = ["Trainer", "evaluate", "train"]


class Trainer(DefaultTrainer):
    """DefaultTrainer that knows each task's data, and Adam, and loads weights strictly.

    It measures detectors by ``TEST.TINY.PROTOCOL``, unmixing models by CSO-mAP, classifiers by
    top-1 and top-5; see d2freq.engine.tasks.
    """

    checkpointer: DetectionCheckpointer
    _trainer: Any  # a Step

    def __init__(self, cfg: CfgNode) -> None:
        """All that DefaultTrainer makes of a config, around a :class:`Step` as the inner loop."""
        with keys_are_read():
            super().__init__(cfg)
        self._trainer = take_over(
            self._trainer, self, accumulate=YamlConfig(cfg).setting("ACCUMULATE")
        )

    def build_hooks(self) -> list[HookBase]:
        """DefaultTrainer's hooks with d2freq's in between; see d2freq.engine.hooks."""
        # The hooks that save take the checkpointer, so that it is replaced first.
        kind = StrictCheckpointer if YamlConfig(self.cfg).strict else TorchvisionCheckpointer
        self.checkpointer = kind(self.model, self.cfg.OUTPUT_DIR, trainer=weakref.proxy(self))
        run = Run(config=YamlConfig(self.cfg), model=self.model, checkpointer=self.checkpointer)
        return with_own_hooks(super().build_hooks(), run)

    def build_writers(self) -> list[EventWriter]:
        """DefaultTrainer's and those of D2FREQ.WRITERS; a full disk ends no training with them."""
        return tolerant([*super().build_writers(), *own_writers(YamlConfig(self.cfg))])

    @classmethod
    def build_evaluator(
        cls, cfg: CfgNode, dataset_name: str, output_folder: str | None = None
    ) -> DatasetEvaluator:
        """The evaluator of the data set's task.

        Its files go to OUTPUT_DIR/inference unless named otherwise; where several data sets are
        measured, each has a folder of its name in there.
        """
        return YamlConfig(cfg).evaluator(dataset_name, output_folder)

    @classmethod
    def build_model(cls, cfg: CfgNode) -> nn.Module:
        """The model, which matches a crowd of objects in little memory."""
        model = YamlConfig(cfg).model()
        log_model(model)
        return model

    @classmethod
    def build_train_loader(cls, cfg: CfgNode) -> Any:
        """The loader of the data sets' task."""
        return task_of(cfg.DATASETS.TRAIN[0]).train_loader(cfg)

    @classmethod
    def build_test_loader(cls, cfg: CfgNode, dataset_name: str) -> Any:
        """The loader of the data set's task."""
        return YamlConfig(cfg).test_loader(dataset_name)

    @classmethod
    def build_optimizer(cls, cfg: CfgNode, model: nn.Module) -> Optimizer:
        """By D2FREQ.OPTIMIZER, of what D2FREQ.FREEZE leaves to train."""
        config = YamlConfig(cfg)
        config.freeze(model)
        return config.optimizer(model)

    @classmethod
    def test(cls, cfg: CfgNode, model: nn.Module, evaluators: Any = None) -> Any:
        """See DefaultTrainer.test; what training draws afterwards does not depend on it."""
        with kept_random_states():
            return super().test(cfg, model, evaluators)

    def train(self) -> dict:
        """Train to SOLVER.MAX_ITER; returns the results of the last evaluation, {} without one.

        Detectron2 documents this, but returns them only where TEST.EXPECTED_RESULTS is set.
        """
        with suppress(StoppedEarly):
            super().train()
        return getattr(self, "_last_eval_results", None) or {}

    def resume_or_load(self, resume: bool = True, *, reset_lr: bool = False) -> None:
        """See DefaultTrainer.resume_or_load; takes torchvision's weights, refuses other shapes.

        Args:
            resume: go on from the newest checkpoint in OUTPUT_DIR that can be read.
            reset_lr: with the config's learning rate, not the checkpoint's.

        Raises:
            UserError: the weights do not fit and ``D2FREQ.STRICT_WEIGHTS`` is on, or the optimizer
                does not.
        """
        config, options = YamlConfig(self.cfg), ConfiguredOptions(self.optimizer)
        found = self.checkpointer.get_checkpoint_file() if resume else ""
        try:
            super().resume_or_load(resume)
        except ValueError as error:
            if not found or isinstance(error, UserError):
                raise
            raise not_its_optimizer(error, found) from error
        say_start(config, resume=resume, checkpoint=found, start=self.start_iter)
        if found:
            options.settle(config, reset=reset_lr, schedule=self.scheduler)


def train(config: YamlConfig, *, resume: bool = False, reset_lr: bool = False) -> dict:
    """Train to SOLVER.MAX_ITER; returns the results of the last evaluation."""
    trainer = Trainer(config.cfg)
    trainer.resume_or_load(resume, reset_lr=reset_lr)
    check_space(trainer.model, trainer.optimizer, config.output_dir)
    return trainer.train()


def evaluate(config: YamlConfig, model: nn.Module) -> dict:
    """Measure on DATASETS.TEST, and against TEST.EXPECTED_RESULTS where there are some."""
    results = Trainer.test(config.cfg, model)
    if comm.is_main_process():
        verify_results(config.cfg, results)
    return results
