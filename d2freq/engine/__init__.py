"""Training and evaluation: what train_net.py stands on."""

from d2freq.engine.checks import check_lazy, check_yaml
from d2freq.engine.config.lazy_config import load_lazy
from d2freq.engine.config.yaml_config import is_lazy, load_yaml
from d2freq.engine.train_lazy import run_lazy
from d2freq.engine.train_yaml import Trainer, run_yaml
from d2freq.engine.weights.strict import StrictCheckpointer, load_weights

__all__ = [
    "StrictCheckpointer",
    "Trainer",
    "check_lazy",
    "check_yaml",
    "is_lazy",
    "load_lazy",
    "load_weights",
    "load_yaml",
    "run_lazy",
    "run_yaml",
]
