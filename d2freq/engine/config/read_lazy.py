"""Lazy configs read with errors that name the file, the key and the nearest key that exists.

Detectron2 takes a misspelt key of a lazy config without a word, or fails deep inside a call.
"""

import inspect
from typing import Any

from detectron2.config import LazyConfig
from detectron2.utils.registry import locate
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from d2freq.engine.config.device import present_device
from d2freq.engine.config.host_zoo import cure_of_model_zoo
from d2freq.engine.config.other_kind import named_otherwise
from d2freq.errors import UserError
from d2freq.trainer_config import lazy_names
from d2freq.utils.choices import did_you_mean
from d2freq.utils.notices import later

__all__ = ["load_lazy"]

TOP_KEYS = ("model", "dataloader", "optimizer", "lr_multiplier", "train")
# what d2freq.engine.train_lazy and default_setup read below ``train``, beside d2freq's switches
TRAIN_KEYS = (
    "output_dir",
    "init_checkpoint",
    "max_iter",
    "amp",
    "ddp",
    "checkpointer",
    "clip_gradients",
    "eval_period",
    "log_period",
    "device",
    "seed",
    "cudnn_benchmark",
    "float32_precision",
)


def load_lazy(config_file: str, overrides: list[str] | None = None) -> DictConfig:
    """A lazy config with ``key=value`` (or KEY VALUE) overrides; ``+key=value`` adds a key.

    Raises:
        UserError: the file does not load, an override names no key, a key that train_net.py
            reads is missing, or one that nothing reads is there.
    """
    try:
        cfg = LazyConfig.load(config_file)
    except Exception as error:  # the file is a program and may fail in any way
        reason = cure_of_model_zoo(error) or f"{type(error).__name__}: {error}"
        raise UserError(f"{config_file}: {reason}") from error
    words = _join_pairs(overrides or [])
    _check_lazy_keys(cfg, words)
    try:
        cfg = LazyConfig.apply_overrides(cfg, words)
    except (
        HydraException,
        OmegaConfBaseException,
        KeyError,
        NotImplementedError,
        ValueError,
    ) as error:
        raise UserError(f"command line: {error}") from error
    missing = [key for key in TOP_KEYS if key not in cfg]
    if missing:
        raise UserError(f"{config_file}: a lazy config needs {', '.join(missing)} at top level")
    _check_train_keys(cfg.train, config_file)
    _check_arguments(cfg, "", config_file)
    cfg.train.device = present_device(cfg.train.get("device", "cuda"), "train.device", tell=later)
    return cfg


def _check_train_keys(train: DictConfig, source: str) -> None:
    """Raise UserError for a key below ``train`` that nothing reads."""
    switches = lazy_names()
    groups = {name.rpartition(".")[0] for name in switches} - {""}
    known = [*TRAIN_KEYS, *switches]
    for key in _lazy_keys(train):
        group = key.rpartition(".")[0]
        if (not group or group in groups) and key not in known:
            raise UserError(f"{source}: train.{key} is not read{did_you_mean(key, known)}")


def _check_lazy_keys(cfg: DictConfig, overrides: list[str]) -> None:
    """Raise UserError for a misspelt key: Detectron2 would add it and train without a word."""
    known = [*_lazy_keys(cfg), *(f"train.{name}" for name in lazy_names())]
    for word in overrides:
        key = word.split("=", 1)[0]
        if word.startswith(("+", "~")) or key in known:
            continue
        other = named_otherwise(key, lazy=True)
        if other:
            raise UserError(f"command line: {key} is a key of YAML configs{other}")
        near = did_you_mean(key, known)
        raise UserError(f"command line: {key} is not in the config{near}; +{word} adds a new key")


def _lazy_keys(node: DictConfig | ListConfig, prefix: str = "") -> list[str]:
    keys = []
    names: Any = range(len(node)) if isinstance(node, ListConfig) else node
    for name in names:
        keys.append(f"{prefix}{name}")
        child = None if OmegaConf.is_missing(node, name) else node._get_node(name)
        if isinstance(child, (DictConfig, ListConfig)) and not child._is_none():
            keys.extend(_lazy_keys(child, f"{prefix}{name}."))
    return keys


def _check_arguments(node: Any, path: str, source: str) -> None:
    """Raise UserError for a key beside ``_target_`` that the call does not take."""
    if isinstance(node, ListConfig):
        children = [(f"{path}[{i}]", node._get_node(i)) for i in range(len(node))]
    elif isinstance(node, DictConfig) and not node._is_none():
        children = [(f"{path}.{key!s}".lstrip("."), node._get_node(key)) for key in node]
        target = node.get("_target_")
        if target is not None:
            _check_call(target, [str(key) for key in node if key != "_target_"], path, source)
    else:
        return
    for child_path, child in children:
        if isinstance(child, (DictConfig, ListConfig)) and not child._is_interpolation():
            _check_arguments(child, child_path, source)


def _check_call(target: Any, keys: list[str], path: str, source: str) -> None:
    try:
        function = locate(target) if isinstance(target, str) else target
        parameters = inspect.signature(function).parameters
    except ImportError as error:
        raise UserError(f"{source}: {path}._target_: {error}") from error
    except (TypeError, ValueError):  # something without a signature: its call will tell
        return
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for key in keys:
        if key not in parameters:
            name = str(getattr(function, "__qualname__", target))
            raise UserError(
                f"{source}: {path}.{key}: {name} takes no {key!r}{did_you_mean(key, parameters)}"
            )


def _join_pairs(overrides: list[str]) -> list[str]:
    """``key=value`` words from ``key value`` or ``key=value`` words."""
    words: list[str] = []
    pending = ""
    for word in overrides:
        if pending:
            words.append(f"{pending}={word}")
            pending = ""
        elif "=" in word or word.startswith("~"):  # ~key deletes and has no value
            words.append(word)
        else:
            pending = word
    if pending:
        raise UserError(f"command line: override {pending} has no value: write key=value")
    return words
