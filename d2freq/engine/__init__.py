"""Training and evaluation: what train_net.py stands on."""

from d2freq.engine.checkpoint import StrictCheckpointer, load_weights
from d2freq.engine.config_file import is_lazy, load_yaml
from d2freq.engine.lazy import run_lazy
from d2freq.engine.lazy_config import load_lazy
from d2freq.engine.preflight import check_lazy, check_yaml
from d2freq.engine.trainer import Trainer, run_yaml

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
