"""The hook that says what is trained on, beside the checkpoints."""

from detectron2.engine import HookBase
from detectron2.utils import comm

from d2freq.engine.config import Config
from d2freq.engine.training_data import save

__all__ = ["SaveTrainingData"]


class SaveTrainingData(HookBase):
    """Writes ``classes.json`` before the first iteration; see d2freq.engine.training_data."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def before_train(self) -> None:
        """One process writes it."""
        if comm.is_main_process():
            save(self._config)
