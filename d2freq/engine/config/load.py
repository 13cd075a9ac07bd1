"""A config file of either kind, by its suffix."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from detectron2.config import CfgNode
from omegaconf import DictConfig

from d2freq.engine.config.config import Config
from d2freq.engine.config.lazy_config import LazyConfig
from d2freq.engine.config.read_lazy import load_lazy
from d2freq.engine.config.read_yaml import load_yaml
from d2freq.engine.config.yaml_config import YamlConfig
from d2freq.errors import UserError
from d2freq.utils.config_names import ENDINGS, find_config

__all__ = ["as_config", "is_lazy", "load_config"]


def is_lazy(config_file: str) -> bool:
    """True for a lazy config (``.py``, or the YAML that its run wrote), False for other YAML.

    Args:
        config_file: a file, or the name of one of d2freq's.

    Raises:
        UserError: none is named, there is none, or it has another suffix.
    """
    if not config_file:
        raise UserError("no config: pass --config-file with a .yaml, a lazy .py, or a name")
    file = find_config(config_file)
    suffix = os.path.splitext(file)[1]
    if suffix not in ENDINGS:
        raise UserError(f"{config_file}: a config is a .yaml, .yml or .py file, not {suffix!r}")
    return suffix == ".py" or _is_dump(file)


def load_config(config_file: str, overrides: Sequence[str] = ()) -> Config:
    """A :class:`YamlConfig` or a :class:`LazyConfig`.

    Args:
        config_file: .yaml, .yml, or a lazy .py; or the name of one of d2freq's, see find_config.
        overrides: KEY VALUE words for YAML, key=value (or KEY VALUE) words for a lazy config.

    Raises:
        UserError: the config or an override is faulty.
    """
    load = load_lazy if is_lazy(config_file) else load_yaml
    file = find_config(config_file)
    config = as_config(load(file, list(overrides)), file)
    config.shorten()
    return config


def _is_dump(config_file: str) -> bool:
    """Whether a YAML file is a lazy config's, as Detectron2 writes it into the output folder."""
    try:
        text = Path(config_file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False  # the reader of YAML says what is wrong with it
    return all(re.search(rf"^{key}:", text, re.MULTILINE) for key in ("model", "train"))


def as_config(cfg: Config | CfgNode | DictConfig, source: str = "") -> Config:
    """A config as Detectron2 knows it, behind the interface of :class:`Config`."""
    if isinstance(cfg, Config):
        return cfg
    return (LazyConfig if isinstance(cfg, DictConfig) else YamlConfig)(cfg, source)
