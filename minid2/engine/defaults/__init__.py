"""The usual pieces of a training script, for those who want the usual."""

from .arguments import default_argument_parser
from .predictor import DefaultPredictor
from .setup import create_ddp_model, default_setup, default_writers
from .trainer import DefaultTrainer

__all__ = [
    "DefaultPredictor",
    "DefaultTrainer",
    "create_ddp_model",
    "default_argument_parser",
    "default_setup",
    "default_writers",
]
