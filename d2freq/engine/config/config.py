"""One interface for both kinds of config: what training, checks, analysis and commands ask of one.

Whoever holds a :class:`Config` need not know whether it was YAML or lazy; the two subclasses alone
know where a value stands.
"""

import argparse
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from detectron2.engine import default_setup
from detectron2.evaluation import DatasetEvaluator
from detectron2.utils import comm
from torch import nn
from torch.optim import Optimizer

from d2freq.engine.config.image_sizes import ImageSizes
from d2freq.engine.console import set_up_logs
from d2freq.engine.parameters.freeze import freeze
from d2freq.utils.pixels import PixelReader

__all__ = ["Config"]


class Config(ABC):
    """A config that has been read, with the file that it came from.

    Attributes:
        cfg: CfgNode or DictConfig, the config as Detectron2 knows it.
        source: its file, for messages; "" where there is none.
    """

    weights_key: str  # where the config names its weights, for messages
    sets_key: str  # and its data sets
    model_key: str  # and which model it is
    mean_key: str  # and the mean of each channel

    def __init__(self, cfg: Any, source: str = "") -> None:
        self.cfg = cfg
        self.source = source

    @property
    @abstractmethod
    def output_dir(self) -> str:
        """The folder that a run writes to."""

    @property
    @abstractmethod
    def weights(self) -> str:
        """The checkpoint to start from or to measure; "" for none."""

    @property
    @abstractmethod
    def strict(self) -> bool:
        """Whether weights that do not fit the model are refused."""

    @property
    @abstractmethod
    def checkpoint_period(self) -> int:
        """Iterations from one saved checkpoint to the next."""

    @property
    @abstractmethod
    def checkpoint_keep(self) -> int:
        """How many periodic checkpoints stay; 0: all of them."""

    @property
    @abstractmethod
    def max_iter(self) -> int:
        """Iterations of the whole training."""

    @abstractmethod
    def setting(self, name: str) -> Any:
        """A switch of d2freq's trainer, such as "EMA.DECAY" or "SOLVER.CHECKPOINT_KEEP".

        Names and defaults are those of d2freq/trainer_config.py, for both kinds of config.

        Raises:
            KeyError: there is no such switch.
        """

    @abstractmethod
    def key_of(self, name: str) -> str:
        """Where this config has a switch, for messages: "D2FREQ.EMA.DECAY", "train.ema.decay"."""

    @property
    @abstractmethod
    def protocol(self) -> Any:
        """What detections are measured by: a name, a file, a Protocol, or None for no protocol."""

    @property
    @abstractmethod
    def merging(self) -> tuple[str, float] | None:
        """How detections on tiles are merged on the originals: method and IoU; None: not at all."""

    @property
    @abstractmethod
    def class_key(self) -> str:
        """The key of the model's class count, for messages."""

    @property
    @abstractmethod
    def crops(self) -> bool:
        """Whether training cuts images off."""

    @property
    @abstractmethod
    def measures_masks(self) -> bool:
        """Whether masks are measured where the model gives some."""

    @property
    @abstractmethod
    def square(self) -> int | None:
        """Pixels a side of the images that a classifier is measured on."""

    @property
    @abstractmethod
    def channel_order(self) -> str:
        """Of the pixels that the model takes: "RGB", "BGR", "L" or another of Detectron2's."""

    @property
    @abstractmethod
    def pixels(self) -> PixelReader | None:
        """The reader of pictures of other depths and bands; None where Detectron2 reads.

        Raises:
            UserError: a value that no reader takes.
            DatasetError: its range is the data set's, which cannot be read.
        """

    @property
    @abstractmethod
    def train_steps(self) -> list[str]:
        """Names of the augmentations of training that the config lists itself."""

    @abstractmethod
    def settle_pixels(self) -> None:
        """Write a range that was measured on the training data into the config, as numbers."""

    @property
    @abstractmethod
    def image_sizes(self) -> ImageSizes:
        """How large training and testing make images.

        Raises:
            UserError: testing does something else to images than resizing their shorter side.
        """

    @abstractmethod
    def train_sets(self) -> list[str]:
        """Names of the data sets that are trained on."""

    @abstractmethod
    def test_sets(self) -> list[str]:
        """Names of the data sets that are measured."""

    @property
    @abstractmethod
    def tests_unnamed(self) -> bool:
        """Whether there is a test loader, though it may say no name of a data set."""

    @property
    @abstractmethod
    def eval_period(self) -> int:
        """Iterations from one evaluation to the next; 0 for one at the end."""

    @abstractmethod
    def test_loader(self, dataset_name: str = "", *, truth: bool = False) -> Any:
        """Batches of a test set; a lazy config has one, which knows its data set.

        Args:
            dataset_name: one of ``test_sets``.
            truth: with the ground truth, for losses.
        """

    def test_loaders(self, *, truth: bool = False) -> dict[str, Any]:
        """The loaders of all test sets by their names, {} without one; see :meth:`test_loader`."""
        names = self.test_sets()
        if not names and not self.tests_unnamed:
            return {}
        if len(names) < 2:
            return {(names or ["test"])[0]: self.test_loader(*names, truth=truth)}
        return {name: self.test_loader(name, truth=truth) for name in names}

    @abstractmethod
    def shorten(self) -> None:
        """Make a dry run of the config, where FAST_DEV_RUN.ENABLED asks for one."""

    @abstractmethod
    def model(self, device: str | None = None) -> nn.Module:
        """The model with initial weights, on ``device`` or on the config's own."""

    @abstractmethod
    def optimizer(self, model: nn.Module) -> Optimizer:
        """The optimizer of a model's parameters."""

    @abstractmethod
    def schedule(self, optimizer: Optimizer) -> Any:
        """What Detectron2's hook LRScheduler takes: a scheduler of it, or a multiplier."""

    @abstractmethod
    def evaluator(
        self, dataset_name: str = "", output_dir: str | None = None
    ) -> DatasetEvaluator | None:
        """What measures a test set; its files go to OUTPUT_DIR/inference unless named otherwise.

        A lazy config has one evaluator, which knows its data set; None where it has none.
        """

    @abstractmethod
    def test_mapper(self, dataset_name: str, *, truth: bool = False) -> Callable[[dict], dict]:
        """From a record to the model's input, with the augmentations of testing.

        Args:
            dataset_name: decides the task, and with it the mapper.
            truth: keep the ground truth as "instances", which testing drops.

        Raises:
            UserError: the config has no mapper.
        """

    @abstractmethod
    def frequency_stem(self) -> Any:
        """The fixed stem on frequencies for pixels less 128, mean 0 and deviation 1; else None."""

    @abstractmethod
    def without_gate(self) -> tuple[str, dict[str, Any]] | None:
        """The file, and the keys of MODEL that take a gate off it, for a YAML config on top.

        None where YAML cannot build on this config.
        """

    @abstractmethod
    def check_parts(self) -> None:
        """Raise UserError for the name of a part of the model that nobody has registered."""

    @abstractmethod
    def check_sets(self, *, eval_only: bool) -> None:
        """Raise UserError where a data set is needed and none is named."""

    @abstractmethod
    def check_mask_mapper(self) -> None:
        """Raise UserError where a model with a mask head would train without masks."""

    def freeze(self, model: nn.Module) -> None:
        """Leave the parameters that FREEZE names untrained; before the optimizer is built."""
        freeze(model, self.setting("FREEZE"), key=self.key_of("FREEZE"))

    def set_up(self, args: Any) -> None:
        """Logger, seed and output folder of a run, as Detectron2's ``default_setup`` makes them.

        The terminal shows less than the log file, unless ``args.verbose`` is True.
        """
        verbose = getattr(args, "verbose", False)
        set_up_logs(self.output_dir, comm.get_rank(), verbose=verbose)
        # default_setup reads the file once more, and knows no names
        default_setup(self.cfg, argparse.Namespace(**{**vars(args), "config_file": self.source}))
