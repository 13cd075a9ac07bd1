"""Training and evaluation from a lazy config, with the hooks that DefaultTrainer uses."""

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
from d2freq.engine.hooks.saving import check_space
from d2freq.engine.hooks.writing import tolerant
from d2freq.engine.log_model import log_model
from d2freq.engine.resume import ConfiguredOptions, not_its_optimizer, say_start
from d2freq.engine.step import make_step
from d2freq.engine.weights.strict import StrictCheckpointer
from d2freq.engine.weights.torchvision import TorchvisionCheckpointer
from d2freq.engine.writers import own_writers
from d2freq.errors import UserError
from d2freq.utils.random_states import kept_random_states

__all__ = ["evaluate", "train"]


def train(config: LazyConfig, *, resume: bool = False, reset_lr: bool = False) -> dict:
    """Train to ``train.max_iter``; returns the results of the last evaluation."""
    cfg, model = config.cfg, config.model()
    log_model(model)
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
    writers = None
    if main:
        usual_writers = default_writers(config.output_dir, config.max_iter)
        writers = tolerant([*usual_writers, *own_writers(config)])
    last: dict = {}

    def measure() -> dict:
        last.clear()
        with kept_random_states():  # what training draws afterwards does not depend on it
            last.update(evaluate(config, model))
        return last

    # a checkpoint before each evaluation: if that fails, the weights are there
    usual = [
        hooks.IterationTimer(),
        hooks.LRScheduler(scheduler=config.schedule(optimizer)),
        hooks.EvalHook(cfg.train.eval_period, measure),
        hooks.PeriodicWriter(writers, period=cfg.train.log_period) if main else None,
    ]
    run = Run(config=config, model=model, checkpointer=checkpointer)
    trainer.register_hooks(with_own_hooks(usual, run))
    options = ConfiguredOptions(optimizer)
    found = checkpointer.get_checkpoint_file() if resume else ""
    try:
        checkpointer.resume_or_load(config.weights, resume=resume)
    except ValueError as error:
        if not found or isinstance(error, UserError):
            raise
        raise not_its_optimizer(error, found) from error
    start = trainer.iter + 1 if found else 0
    say_start(config, resume=resume, checkpoint=found, start=start)
    if found:
        options.settle(config, reset=reset_lr)
    check_space(model, optimizer, config.output_dir)
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
