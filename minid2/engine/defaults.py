"""The usual training of a detector and its use on single images, out of a config."""

import logging
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ..checkpoint import DetectionCheckpointer
from ..config import CfgNode
from ..data import MetadataCatalog, build_detection_test_loader, build_detection_train_loader
from ..data import transforms as T
from ..evaluation import DatasetEvaluator, inference_on_dataset, print_csv_format, verify_results
from ..host import ALIAS, logger_of, refuse
from ..modeling import build_model
from ..solver import build_lr_scheduler, build_optimizer
from ..utils import comm
from ..utils.events import EventWriter
from ..utils.logger import setup_logger
from . import hooks
from .setup import create_ddp_model, default_argument_parser, default_setup, default_writers
from .train_loop import AMPTrainer, HookBase, SimpleTrainer, TrainerBase

__all__ = ["DefaultPredictor", "DefaultTrainer", "create_ddp_model", "default_argument_parser"]
__all__ += ["default_setup", "default_writers"]


def _of_inner_loop(name: str) -> Any:
    """An attribute that lives in ``_trainer``, the loop that does the iterations."""
    return property(
        lambda self: getattr(self._trainer, name),
        lambda self, value: setattr(self._trainer, name, value),
    )


class _RelayAfterBackward(HookBase):
    """Tells the outer trainer's hooks what only the inner loop sees."""

    def __init__(self, outer: TrainerBase) -> None:
        self._outer = weakref.proxy(outer)

    def after_backward(self) -> None:
        self._outer.after_backward()


class DefaultTrainer(TrainerBase):
    """Model, optimizer, schedule, loaders, checkpoints and hooks, all from one config.

    Each piece has a ``build_*`` method to override. Example::

        trainer = DefaultTrainer(cfg)
        trainer.resume_or_load(resume=args.resume)
        trainer.train()

    With ``SOLVER.AMP.ENABLED`` it trains in float16 on a GPU and in bfloat16 on a CPU.

    Attributes beside those of the loop: ``cfg``, ``model`` (wrapped for distributed training if
    there are several processes), ``data_loader``, ``optimizer``, ``scheduler``, and
    ``checkpointer``, which saves and loads the model and this trainer's state.

    Raises:
        NotImplementedError: ``SOLVER.REFERENCE_WORLD_SIZE`` asks for another number of processes,
            or ``TEST.PRECISE_BN`` is switched on.
    """

    def __init__(self, cfg: CfgNode) -> None:
        super().__init__()
        if not logging.getLogger(ALIAS).isEnabledFor(logging.INFO):  # no default_setup() before
            setup_logger()
        world = cfg.SOLVER.REFERENCE_WORLD_SIZE
        refuse(f"SOLVER.REFERENCE_WORLD_SIZE {world}", world not in (0, comm.get_world_size()))
        refuse("TEST.PRECISE_BN.ENABLED", cfg.TEST.PRECISE_BN.ENABLED)

        # The order matters for the random numbers: weights are drawn before the data.
        model = self.build_model(cfg)
        optimizer = self.build_optimizer(cfg, model)
        data_loader = self.build_train_loader(cfg)
        # Buffers are alike in all processes already, or SyncBN's business.
        model = create_ddp_model(model, broadcast_buffers=False)
        self._trainer: SimpleTrainer
        if cfg.SOLVER.AMP.ENABLED:
            on_cpu = all(parameter.device.type == "cpu" for parameter in model.parameters())
            precision = torch.bfloat16 if on_cpu else torch.float16
            self._trainer = AMPTrainer(model, data_loader, optimizer, precision=precision)
        else:
            self._trainer = SimpleTrainer(model, data_loader, optimizer)
        self._trainer.register_hooks([_RelayAfterBackward(self)])

        self.scheduler = self.build_lr_scheduler(cfg, optimizer)
        me = weakref.proxy(self)
        self.checkpointer = DetectionCheckpointer(model, cfg.OUTPUT_DIR, trainer=me)
        self.max_iter = cfg.SOLVER.MAX_ITER
        self.cfg = cfg
        self.register_hooks(self.build_hooks())

    def resume_or_load(self, resume: bool = True) -> None:
        """Continue the training in ``OUTPUT_DIR``, or load ``MODEL.WEIGHTS`` and start at 0.

        With ``resume`` it goes on after the iteration of the last checkpoint, with the states of
        optimizer, schedule and hooks. Without a checkpoint there it makes no difference.
        """
        self.checkpointer.resume_or_load(self.cfg.MODEL.WEIGHTS, resume=resume)
        if resume and self.checkpointer.has_checkpoint():
            self.start_iter = self.iter + 1  # the checkpoint holds the last finished iteration

    def build_hooks(self) -> list[HookBase | None]:
        """The default hooks; None stands for one that this process or config does without."""

        def evaluate() -> Any:
            self._last_eval_results = self.test(self.cfg, self.model)
            return self._last_eval_results

        # A checkpoint before each evaluation: if that fails, the weights are saved.
        main, period = comm.is_main_process(), self.cfg.SOLVER.CHECKPOINT_PERIOD
        return [
            hooks.IterationTimer(),
            hooks.LRScheduler(),
            hooks.PeriodicCheckpointer(self.checkpointer, period) if main else None,
            hooks.EvalHook(self.cfg.TEST.EVAL_PERIOD, evaluate),
            # Last, so that it writes what the others have stored.
            hooks.PeriodicWriter(self.build_writers(), period=20) if main else None,
        ]

    def build_writers(self) -> list[EventWriter]:
        """See :func:`default_writers`."""
        return default_writers(self.cfg.OUTPUT_DIR, self.max_iter)

    def train(self) -> Any:  # type: ignore[override]
        """Train from ``start_iter`` to ``max_iter``.

        Returns:
            The results of the last evaluation; None if there was none.

        Raises:
            SystemExit: the results are not those of ``TEST.EXPECTED_RESULTS``.
        """
        super().train(self.start_iter, self.max_iter)
        results = getattr(self, "_last_eval_results", None)
        if self.cfg.TEST.EXPECTED_RESULTS and comm.is_main_process():
            assert results is not None, "TEST.EXPECTED_RESULTS is set, but nothing was evaluated"
            verify_results(self.cfg, results)
        return results

    def run_step(self) -> None:
        """One iteration of the inner training loop."""
        self._trainer.iter = self.iter
        self._trainer.run_step()

    def state_dict(self) -> dict[str, Any]:
        """State of this trainer's hooks, and under "_trainer" that of the inner loop."""
        return {**super().state_dict(), "_trainer": self._trainer.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._trainer.load_state_dict(state_dict["_trainer"])

    model = _of_inner_loop("model")
    data_loader = _of_inner_loop("data_loader")
    optimizer = _of_inner_loop("optimizer")

    @classmethod
    def build_model(cls, cfg: CfgNode) -> nn.Module:
        """The model, on its device."""
        model = build_model(cfg)
        logger_of(__name__).info("Model:\n%s", model)
        return model

    @classmethod
    def build_optimizer(cls, cfg: CfgNode, model: nn.Module) -> torch.optim.Optimizer:
        """SGD by default; :func:`minid2.solver.build_optimizer` shows how to get another."""
        return build_optimizer(cfg, model)

    @classmethod
    def build_lr_scheduler(cls, cfg: CfgNode, optimizer: torch.optim.Optimizer) -> Any:
        return build_lr_scheduler(cfg, optimizer)

    @classmethod
    def build_train_loader(cls, cfg: CfgNode) -> Any:
        return build_detection_train_loader(cfg)

    @classmethod
    def build_test_loader(cls, cfg: CfgNode, dataset_name: str) -> Any:
        return build_detection_test_loader(cfg, dataset_name)

    @classmethod
    def build_evaluator(cls, cfg: CfgNode, dataset_name: str) -> DatasetEvaluator | None:
        """There is none by default: which one fits depends on the data set."""
        raise NotImplementedError(
            f"{cls.__name__} has no evaluator for {dataset_name!r}: override build_evaluator(), "
            "or pass evaluators to test()."
        )

    @classmethod
    def test(
        cls,
        cfg: CfgNode,
        model: nn.Module,
        evaluators: DatasetEvaluator | Sequence[DatasetEvaluator] | None = None,
    ) -> Any:
        """Evaluate a model, with the weights it has, on every data set in ``DATASETS.TEST``.

        There is an evaluator a data set; by default :meth:`build_evaluator` makes them.

        Returns the results by data set; of a single data set, its results themselves.
        """
        logger = logger_of(__name__)
        names = cfg.DATASETS.TEST
        if isinstance(evaluators, DatasetEvaluator):
            evaluators = [evaluators]
        if evaluators is not None and len(evaluators) != len(names):
            raise ValueError(f"{len(evaluators)} evaluators for {len(names)} data sets: {names}")

        results: OrderedDict[str, Any] = OrderedDict()
        for index, name in enumerate(names):
            loader = cls.build_test_loader(cfg, name)
            try:
                evaluator = evaluators[index] if evaluators else cls.build_evaluator(cfg, name)
            except NotImplementedError as error:
                logger.warning("%s is not evaluated. %s", name, error)
                results[name] = {}
                continue
            results[name] = inference_on_dataset(model, loader, evaluator)
            if comm.is_main_process():
                logger.info("Evaluation results for %s in csv format:", name)
                print_csv_format(results[name])
        return results[names[0]] if len(results) == 1 else results


class DefaultPredictor:
    """A trained model for single images; it loads, converts, resizes and runs in eval mode.

    For demonstrations; for speed, or batches, call the model itself. Example::

        predictor = DefaultPredictor(cfg)
        instances = predictor(cv2.imread("image.jpg"))["instances"]

    ``metadata`` is that of the first data set in ``DATASETS.TEST``, if there is one.
    """

    def __init__(self, cfg: CfgNode) -> None:
        self.cfg = cfg.clone()
        self.model = build_model(self.cfg).eval()
        if cfg.DATASETS.TEST:
            self.metadata = MetadataCatalog.get(cfg.DATASETS.TEST[0])
        DetectionCheckpointer(self.model).load(cfg.MODEL.WEIGHTS)
        shortest = cfg.INPUT.MIN_SIZE_TEST
        self.aug = T.ResizeShortestEdge([shortest, shortest], cfg.INPUT.MAX_SIZE_TEST)
        self.input_format = cfg.INPUT.FORMAT
        assert self.input_format in ("BGR", "RGB"), f"INPUT.FORMAT {self.input_format}: BGR or RGB"

    @torch.no_grad()
    def __call__(self, original_image: np.ndarray) -> dict[str, Any]:
        """The model's output for one image, with boxes in its own coordinates.

        Args:
            original_image: (H, W, 3) in the order blue, green, red, 0 to 255.
        """
        height, width = original_image.shape[:2]
        pixels = original_image[:, :, ::-1] if self.input_format == "RGB" else original_image
        resized = self.aug.get_transform(pixels).apply_image(pixels)
        image = torch.from_numpy(np.ascontiguousarray(resized.transpose(2, 0, 1)))
        image = image.float().to(self.cfg.MODEL.DEVICE)
        return self.model([{"image": image, "height": height, "width": width}])[0]
