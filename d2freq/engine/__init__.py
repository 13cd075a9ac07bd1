"""Training and evaluation: what train_net.py stands on."""

from d2freq.engine.checks import check
from d2freq.engine.config import Config, LazyConfig, YamlConfig, load_config
from d2freq.engine.config.read_lazy import load_lazy
from d2freq.engine.config.read_yaml import load_yaml
from d2freq.engine.run import check_arguments, run
from d2freq.engine.train_yaml import Trainer
from d2freq.engine.weights.strict import StrictCheckpointer, load_weights

__all__ = [
    "Config",
    "LazyConfig",
    "StrictCheckpointer",
    "Trainer",
    "YamlConfig",
    "check",
    "check_arguments",
    "load_config",
    "load_lazy",
    "load_weights",
    "load_yaml",
    "run",
]
