"""Training and evaluation from a lazy config, with the hooks that DefaultTrainer uses."""

import logging
import os

from detectron2.config import instantiate
from detectron2.engine import (
    AMPTrainer,
    SimpleTrainer,
    create_ddp_model,
    default_setup,
    default_writers,
    hooks,
)
from detectron2.evaluation import inference_on_dataset, print_csv_format
from detectron2.utils import comm
from detectron2.utils.logger import setup_logger
from omegaconf import DictConfig, OmegaConf

from d2freq.engine.config.lazy_config import load_lazy
from d2freq.engine.weights.strict import StrictCheckpointer, load_weights
from d2freq.engine.weights.torchvision import TorchvisionCheckpointer

logger = logging.getLogger(__name__)


def run_lazy(args) -> dict:
    """Train, or with ``--eval-only`` measure; returns the results of the last evaluation."""
    cfg = load_lazy(args.config_file, args.opts)
    default_setup(cfg, args)
    setup_logger(cfg.train.output_dir, distributed_rank=comm.get_rank(), name="d2freq")
    model = instantiate(cfg.model).to(cfg.train.device)
    strict = cfg.train.get("strict_weights", True)
    if args.eval_only:
        load_weights(
            model,
            cfg.train.init_checkpoint,
            cfg.train.output_dir,
            resume=args.resume,
            strict=strict,
        )
        return evaluate(cfg, model)
    return train(cfg, model, resume=args.resume, strict=strict)


def train(cfg: DictConfig, model, *, resume: bool = False, strict: bool = True) -> dict:
    """Train an instantiated model to ``train.max_iter``; returns the last evaluation's results."""
    logger.info("Model:\n%s", model)
    cfg.optimizer.params.model = model
    optimizer = instantiate(cfg.optimizer)
    loader = instantiate(cfg.dataloader.train)
    model = create_ddp_model(model, **cfg.train.get("ddp", {}))
    amp = OmegaConf.select(cfg, "train.amp.enabled", default=False)
    trainer = (AMPTrainer if amp else SimpleTrainer)(model, loader, optimizer)

    kind = StrictCheckpointer if strict else TorchvisionCheckpointer
    checkpointer = kind(model, cfg.train.output_dir, trainer=trainer)
    main = comm.is_main_process()
    writers = default_writers(cfg.train.output_dir, cfg.train.max_iter) if main else None
    last: dict = {}

    def measure() -> dict:
        last.clear()
        last.update(evaluate(cfg, model))
        return last

    # a checkpoint before each evaluation: if that fails, the weights are there
    trainer.register_hooks(
        [
            hooks.IterationTimer(),
            hooks.LRScheduler(scheduler=instantiate(cfg.lr_multiplier)),
            hooks.PeriodicCheckpointer(checkpointer, **cfg.train.checkpointer) if main else None,
            hooks.EvalHook(cfg.train.eval_period, measure),
            hooks.PeriodicWriter(writers, period=cfg.train.log_period) if main else None,
        ]
    )
    checkpointer.resume_or_load(cfg.train.init_checkpoint, resume=resume)
    start = trainer.iter + 1 if resume and checkpointer.has_checkpoint() else 0
    trainer.train(start, cfg.train.max_iter)
    return last


def evaluate(cfg: DictConfig, model) -> dict:
    """Run ``dataloader.evaluator`` over ``dataloader.test``; results land in output_dir."""
    if "evaluator" not in cfg.dataloader:
        return {}
    if OmegaConf.select(cfg, "dataloader.evaluator.output_dir") is None:
        cfg.dataloader.evaluator.output_dir = os.path.join(cfg.train.output_dir, "inference")
    results = inference_on_dataset(
        model, instantiate(cfg.dataloader.test), instantiate(cfg.dataloader.evaluator)
    )
    if comm.is_main_process():
        print_csv_format(results)
    return results
