"""Detectron2's DefaultTrainer with tiny-object evaluation and strict loading, for YAML configs."""

import logging
import os
import weakref
from typing import Any

from detectron2.checkpoint import DetectionCheckpointer
from detectron2.config import CfgNode
from detectron2.engine import DefaultTrainer, default_setup
from detectron2.evaluation import DatasetEvaluator, verify_results
from detectron2.utils import comm
from detectron2.utils.logger import setup_logger
from torch import nn
from torch.optim import Optimizer

from d2freq.engine.config.yaml_config import load_yaml
from d2freq.engine.solver import build_optimizer
from d2freq.engine.tasks.classification import (
    build_image_evaluator,
    build_image_test_loader,
    build_image_train_loader,
    is_image_folder,
)
from d2freq.engine.tasks.unmixing import (
    build_sequence_evaluator,
    build_sequence_test_loader,
    build_sequence_train_loader,
    is_sequences,
)
from d2freq.engine.weights.strict import StrictCheckpointer, load_weights
from d2freq.engine.weights.torchvision import TorchvisionCheckpointer
from d2freq.evaluation import TinyCOCOEvaluator

logger = logging.getLogger(__name__)


class Trainer(DefaultTrainer):
    """DefaultTrainer that knows trajectories, image folders and Adam, and loads weights strictly.

    It measures detectors by ``TEST.TINY.PROTOCOL``, unmixing models by CSO-mAP, classifiers by
    top-1 and top-5.
    """

    checkpointer: DetectionCheckpointer

    @classmethod
    def build_evaluator(
        cls, cfg: CfgNode, dataset_name: str, output_folder: str | None = None
    ) -> DatasetEvaluator:
        """A TinyCOCOEvaluator, for trajectories a CSOEvaluator, for image folders a TopKEvaluator.

        Its files go to OUTPUT_DIR/inference unless named otherwise; where several data sets are
        measured, each has a folder of its name in there.
        """
        if output_folder is None:
            output_folder = os.path.join(cfg.OUTPUT_DIR, "inference")
            if len(cfg.DATASETS.TEST) > 1:
                output_folder = os.path.join(output_folder, dataset_name)
        if is_sequences(dataset_name):
            return build_sequence_evaluator(cfg, dataset_name, output_folder)
        if is_image_folder(dataset_name):
            return build_image_evaluator(dataset_name, output_folder)
        return TinyCOCOEvaluator(
            dataset_name,
            output_dir=output_folder,
            protocol=cfg.TEST.TINY.PROTOCOL,
            strict=cfg.TEST.TINY.STRICT,
            originals=cfg.TEST.TINY.ORIGINALS,
            merge=cfg.TEST.TINY.MERGE,
            merge_iou=cfg.TEST.TINY.MERGE_IOU,
        )

    @classmethod
    def build_train_loader(cls, cfg: CfgNode) -> Any:
        """Detectron2's, with a mapper for trajectories or image folders where these are."""
        if any(map(is_sequences, cfg.DATASETS.TRAIN)):
            return build_sequence_train_loader(cfg)
        if any(map(is_image_folder, cfg.DATASETS.TRAIN)):
            return build_image_train_loader(cfg)
        return super().build_train_loader(cfg)

    @classmethod
    def build_test_loader(cls, cfg: CfgNode, dataset_name: str) -> Any:
        """Detectron2's, with a mapper for trajectories or image folders where these are."""
        if is_sequences(dataset_name):
            return build_sequence_test_loader(cfg, dataset_name)
        if is_image_folder(dataset_name):
            return build_image_test_loader(cfg, dataset_name)
        return super().build_test_loader(cfg, dataset_name)

    @classmethod
    def build_optimizer(cls, cfg: CfgNode, model: nn.Module) -> Optimizer:
        """By D2FREQ.OPTIMIZER."""
        return build_optimizer(cfg, model)

    def train(self) -> dict:
        """Train to SOLVER.MAX_ITER; returns the results of the last evaluation, {} without one.

        Detectron2 documents this, but returns them only where TEST.EXPECTED_RESULTS is set.
        """
        super().train()
        return getattr(self, "_last_eval_results", None) or {}

    def resume_or_load(self, resume: bool = True) -> None:
        """See DefaultTrainer.resume_or_load; takes torchvision's weights, refuses other shapes.

        Raises:
            UserError: the weights do not fit and ``D2FREQ.STRICT_WEIGHTS`` is on.
        """
        usual = self.checkpointer
        kind = StrictCheckpointer if self.cfg.D2FREQ.STRICT_WEIGHTS else TorchvisionCheckpointer
        self.checkpointer = kind(self.model, self.cfg.OUTPUT_DIR, trainer=weakref.proxy(self))
        try:
            super().resume_or_load(resume)
        finally:
            self.checkpointer = usual


def setup_yaml(args) -> CfgNode:
    """The frozen config of the parsed arguments, with logger, seed and OUTPUT_DIR set up."""
    cfg = load_yaml(args.config_file, args.opts)
    cfg.freeze()
    default_setup(cfg, args)
    setup_logger(cfg.OUTPUT_DIR, distributed_rank=comm.get_rank(), name="d2freq")
    return cfg


def run_yaml(args) -> dict:
    """Train, or with ``--eval-only`` measure; returns the results of the last evaluation."""
    cfg = setup_yaml(args)
    if args.eval_only:
        model = Trainer.build_model(cfg)
        load_weights(
            model,
            cfg.MODEL.WEIGHTS,
            cfg.OUTPUT_DIR,
            resume=args.resume,
            strict=cfg.D2FREQ.STRICT_WEIGHTS,
        )
        results = Trainer.test(cfg, model)
        if comm.is_main_process():
            verify_results(cfg, results)
        return results
    trainer = Trainer(cfg)
    trainer.resume_or_load(resume=args.resume)
    return trainer.train()
