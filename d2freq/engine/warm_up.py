"""A warm-up that is as long as its training, which then never reaches its learning rate."""

import logging

from omegaconf import OmegaConf

from d2freq.engine.config import Config, LazyConfig, YamlConfig
from d2freq.utils.notices import notice

__all__ = ["tell_long_warm_up"]

logger = logging.getLogger(__name__)

SHARE = 10  # a tenth of the training is the advice


def tell_long_warm_up(config: Config) -> None:
    """Warn, once, where the learning rate would still rise when the training ends.

    A dry run (FAST_DEV_RUN), whose few steps teach nothing, is left alone.
    """
    if config.setting("FAST_DEV_RUN.ENABLED"):
        return
    steps, length, keys = _steps(config), config.max_iter, _keys(config)
    if steps == 0 or steps < length:
        return
    advice = length // SHARE
    word = f"{keys[0]} {advice}"
    if isinstance(config, LazyConfig):
        word = f"{keys[0]}={advice / length:g}"
    notice(
        logger,
        f"the warm-up of {steps} iterations ({keys[0]}) is not shorter than the training of "
        f"{length} ({keys[1]}): the learning rate never reaches {keys[2]}, and little is learned. "
        f"Add {word} to the command, which is a tenth of the training, or train longer",
    )


def _steps(config: Config) -> int:
    """Iterations of the warm-up, 0 where there is none."""
    if isinstance(config, YamlConfig):
        return int(config.cfg.SOLVER.WARMUP_ITERS)
    share = OmegaConf.select(config.cfg, "lr_multiplier.warmup_length", default=0)
    return round(share * config.max_iter)


def _keys(config: Config) -> tuple[str, str, str]:
    """Where a config has the warm-up, its training's length, and the rate."""
    if isinstance(config, YamlConfig):
        return "SOLVER.WARMUP_ITERS", "SOLVER.MAX_ITER", "SOLVER.BASE_LR"
    return "lr_multiplier.warmup_length", "train.max_iter", "optimizer.lr"
