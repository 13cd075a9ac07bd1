"""Training and evaluation from a lazy config, with the hooks that DefaultTrainer uses."""

import logging
from contextlib import suppress

from detectron2.config import instantiate
from detectron2.engine import create_ddp_model, default_writers, hooks
from detectron2.evaluation import inference_on_dataset, print_csv_format
from detectron2.utils import comm
from omegaconf import OmegaConf
from torch import nn

from d2freq.engine.config import LazyConfig
from d2freq.engine.hooks import Run, with_own_hooks
from d2freq.engine.hooks.early_stopping import StoppedEarly
from d2freq.engine.step import make_step
from d2freq.engine.weights.strict import StrictCheckpointer
from d2freq.engine.weights.torchvision import TorchvisionCheckpointer
from d2freq.engine.writers import own_writers

__all__ = ["evaluate", "train"]

logger = logging.getLogger(__name__)


def train(config: LazyConfig, *, resume: bool = False) -> dict:
    """Train to ``train.max_iter``; returns the results of the last evaluation."""
    cfg, model = config.cfg, config.model()
    logger.info("Model:\n%s", model)
    config.freeze(model)
    optimizer = config.optimizer(model)
    loader = instantiate(cfg.dataloader.train)
    ddp = dict(cfg.train.get("ddp", {}))
    if all(parameter.device.type == "cpu" for parameter in model.parameters()):
        ddp["device_ids"] = None  # Detectron2 would name a GPU
    model = create_ddp_model(model, **ddp)
    amp = OmegaConf.select(cfg, "train.amp.enabled", default=False)
    trainer = make_step(model, loader, optimizer, amp=amp, accumulate=config.setting("ACCUMULATE"))

    kind = StrictCheckpointer if config.strict else TorchvisionCheckpointer
    checkpointer = kind(model, cfg.train.output_dir, trainer=trainer)
    main = comm.is_main_process()
    writers = default_writers(cfg.train.output_dir, cfg.train.max_iter) if main else None
    if writers is not None:
        writers += own_writers(config)
    last: dict = {}

    def measure() -> dict:
        last.clear()
        last.update(evaluate(config, model))
        return last

    # a checkpoint before each evaluation: if that fails, the weights are there
    usual = [
        hooks.IterationTimer(),
        hooks.LRScheduler(scheduler=config.schedule(optimizer)),
        hooks.PeriodicCheckpointer(checkpointer, **cfg.train.checkpointer) if main else None,
        hooks.EvalHook(cfg.train.eval_period, measure),
        hooks.PeriodicWriter(writers, period=cfg.train.log_period) if main else None,
    ]
    run = Run(config=config, model=model, checkpointer=checkpointer)
    trainer.register_hooks(with_own_hooks(usual, run))
    checkpointer.resume_or_load(config.weights, resume=resume)
    start = trainer.iter + 1 if resume and checkpointer.has_checkpoint() else 0
    with suppress(StoppedEarly):
        trainer.train(start, cfg.train.max_iter)
    return last


def evaluate(config: LazyConfig, model: nn.Module) -> dict:
    """Run ``dataloader.evaluator`` over ``dataloader.test``; results land in output_dir."""
    evaluator = config.evaluator()
    if evaluator is None:
        return {}
    results = inference_on_dataset(model, config.test_loader(), evaluator)
    if comm.is_main_process():
        print_csv_format(results)
    return results
