"""The hooks that a config's switches ask for, in their places among the others."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from detectron2.engine import HookBase
from detectron2.evaluation import inference_on_dataset
from torch import nn

from d2freq.engine.config import Config
from d2freq.engine.hooks.best import BestCheckpointer, save_weights
from d2freq.engine.hooks.early_stopping import EarlyStopping
from d2freq.engine.hooks.ema import EvaluateEMA, ModelEMA
from d2freq.engine.hooks.left_out import LeftOut
from d2freq.engine.hooks.score_points import ScorePoints
from d2freq.engine.hooks.summary import Summary
from d2freq.engine.hooks.validation_loss import ValidationLoss
from d2freq.errors import UserError

__all__ = ["AskedFor", "asked_for"]


@dataclass
class AskedFor:
    """Hooks by their place; see d2freq.engine.hooks.with_own_hooks."""

    before_saving: list[HookBase] = field(default_factory=list)
    after_evaluation: list[HookBase] = field(default_factory=list)
    at_the_end: list[HookBase] = field(default_factory=list)


def asked_for(config: Config, model: nn.Module, *, save: Callable[[], None]) -> AskedFor:
    """The hooks of BEST, EARLY_STOPPING, EMA and VALIDATION_LOSS, and those that are always there.

    Args:
        config: of either kind.
        model: the one that is trained, wrapped or not.
        save: saves ``model_final.pth``, where training ends early.

    Raises:
        UserError: a switch has a value that nothing takes.
    """
    setting, key = config.setting, config.key_of
    folder, period = config.output_dir, config.eval_period
    found = AskedFor(before_saving=[LeftOut()])
    ema = None
    folders = _folders(config, "", "inference")
    if setting("EMA.ENABLED"):
        ema = ModelEMA(model, decay=setting("EMA.DECAY"), warmup=setting("EMA.WARMUP"))
        found.before_saving.append(ema)
        own = os.path.join(folder, "inference_ema")
        evaluate = partial(_evaluate, config, own)
        found.after_evaluation.append(
            EvaluateEMA(period, ema, folder, evaluate=evaluate, save=save_weights)
        )
        folders |= _folders(config, "ema/", "inference_ema")
    found.after_evaluation.append(ScorePoints(period, folders))
    if setting("VALIDATION_LOSS"):
        loaders = partial(config.test_loaders, truth=True)
        found.after_evaluation.append(ValidationLoss(period, model, loaders))
    metric, mode = setting("BEST.VAL_METRIC"), setting("BEST.MODE")
    best = None
    if metric:
        best = BestCheckpointer(
            period,
            model,
            folder,
            metric,
            mode,
            setting("BEST.FILE_PREFIX"),
            ema=ema,
            key=key("BEST.VAL_METRIC"),
        )
        found.after_evaluation.append(best)
    found.at_the_end.append(Summary(folder, best))
    patience = setting("EARLY_STOPPING.PATIENCE")
    if patience:
        watched = setting("EARLY_STOPPING.VAL_METRIC")
        if not watched and not metric:
            raise UserError(
                f"{key('EARLY_STOPPING.PATIENCE')} is {patience}, but no metric is named: set "
                f"{key('EARLY_STOPPING.VAL_METRIC')} or {key('BEST.VAL_METRIC')}"
            )
        if period <= 0:
            raise UserError(
                f"{key('EARLY_STOPPING.PATIENCE')} is {patience}, but nothing is evaluated before "
                "the end: set TEST.EVAL_PERIOD (train.eval_period)"
            )
        found.at_the_end.append(
            EarlyStopping(
                period,
                folder,
                watched or metric,
                setting("EARLY_STOPPING.MODE") if watched else mode,
                patience=patience,
                min_delta=setting("EARLY_STOPPING.MIN_DELTA"),
                save=save,
                key=key("EARLY_STOPPING"),
            )
        )
    return found


def _evaluate(config: Config, folder: str, model: nn.Module) -> dict[str, Any]:
    """The results of a model on all test sets, by their names where there are several."""
    results: dict[str, Any] = {}
    loaders = config.test_loaders()
    for name, loader in loaders.items():
        own = os.path.join(folder, name) if len(loaders) > 1 else folder
        evaluator = config.evaluator(name, own)
        if evaluator is not None:
            results[name] = inference_on_dataset(model, loader, evaluator)
    return results if len(loaders) > 1 else next(iter(results.values()), {})


def _folders(config: Config, front: str, name: str) -> dict[str, str]:
    """Where evaluators write, by what comes in front of the metrics."""
    folder, names = os.path.join(config.output_dir, name), config.test_sets()
    if len(names) < 2:
        return {front: folder}
    return {f"{front}{each}/": os.path.join(folder, each) for each in names}
