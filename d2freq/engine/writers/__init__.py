"""Where metrics go beside metrics.json and tensorboard: wandb and mlflow, imported late."""

import importlib.util

from detectron2.utils.events import EventWriter

from d2freq.engine.config import Config
from d2freq.engine.writers.mlflow import MLflowWriter
from d2freq.engine.writers.wandb import WandbWriter
from d2freq.errors import UserError
from d2freq.utils.choices import choice
from d2freq.utils.extras import install

__all__ = ["MLflowWriter", "WandbWriter", "check_writers", "own_writers"]

PACKAGES = ("wandb", "mlflow")


def check_writers(config: Config) -> None:
    """Raise UserError for a writer that is unknown or not installed."""
    key = config.key_of("WRITERS")
    for name in config.setting("WRITERS"):
        choice(name, PACKAGES, key=key)
        if importlib.util.find_spec(name) is None:
            raise UserError(f"{key}: {name} is not installed: {install(name)}")


def own_writers(config: Config) -> list[EventWriter]:
    """The writers that WRITERS names; for the main process alone."""
    check_writers(config)
    made: list[EventWriter] = []
    for name in config.setting("WRITERS"):
        if name == "wandb":
            made.append(
                WandbWriter(
                    config.output_dir,
                    project=config.setting("WANDB.PROJECT"),
                    name=config.setting("WANDB.NAME"),
                    mode=config.setting("WANDB.MODE"),
                )
            )
        else:
            made.append(
                MLflowWriter(
                    config.output_dir,
                    experiment=config.setting("MLFLOW.EXPERIMENT"),
                    name=config.setting("MLFLOW.NAME"),
                    tracking_uri=config.setting("MLFLOW.TRACKING_URI"),
                )
            )
    return made
