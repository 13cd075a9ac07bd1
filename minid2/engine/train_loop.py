"""The training loops under the name that users import them by."""

from .amp_trainer import AMPTrainer
from .simple_trainer import SimpleTrainer
from .trainer_base import HookBase, TrainerBase

__all__ = ["AMPTrainer", "HookBase", "SimpleTrainer", "TrainerBase"]
