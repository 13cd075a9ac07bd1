"""A lazy config, a DictConfig of calls, behind the interface of :class:`Config`."""

import copy
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from detectron2.config import CfgNode, instantiate
from detectron2.evaluation import DatasetEvaluator
from detectron2.utils.registry import locate
from omegaconf import DictConfig, ListConfig, OmegaConf
from torch import nn
from torch.optim import Optimizer

from d2freq.data.pixels.measure import measured
from d2freq.engine.config.config import Config
from d2freq.engine.config.few import SHORT, few
from d2freq.engine.config.image_sizes import ImageSizes, after_crops
from d2freq.engine.config.windows import edges_of_scale, step_name, window_of_step
from d2freq.engine.parameters.clipping import clip_by
from d2freq.engine.parameters.groups import regroup
from d2freq.engine.tasks import task_of
from d2freq.errors import UserError
from d2freq.modeling.assignment import lean
from d2freq.modeling.frequency_input import FixedStem
from d2freq.trainer_config import lazy_name, setting_default
from d2freq.utils.notices import tell_waiting
from d2freq.utils.pixels import PixelReader
from d2freq.utils.pixels.reader import DATASET

__all__ = ["LazyConfig"]

# Detectron2's augmentations that cut images off at a border; others have these names within theirs
CROPS = ("RandomCrop", "FixedSizeCrop")


class LazyConfig(Config):
    """See :class:`Config`."""

    cfg: DictConfig
    weights_key = "train.init_checkpoint"
    sets_key = "dataloader"
    model_key = "model"
    mean_key = "model.pixel_mean"

    @property
    def output_dir(self) -> str:
        return self.cfg.train.output_dir

    @property
    def weights(self) -> str:
        return self.cfg.train.get("init_checkpoint", "")

    @property
    def strict(self) -> bool:
        return self.setting("STRICT_WEIGHTS")

    @property
    def checkpoint_period(self) -> int:
        return self.cfg.train.checkpointer.period

    @property
    def checkpoint_keep(self) -> int:
        usual = self.cfg.train.checkpointer.get("max_to_keep")
        return self.setting("SOLVER.CHECKPOINT_KEEP") or usual or 0

    @property
    def max_iter(self) -> int:
        return self.cfg.train.max_iter

    def setting(self, name: str) -> Any:
        default = setting_default(name)
        found = OmegaConf.select(self.cfg, f"train.{lazy_name(name)}", default=default)
        return OmegaConf.to_object(found) if OmegaConf.is_config(found) else found

    def key_of(self, name: str) -> str:
        return f"train.{lazy_name(name)}"

    @property
    def protocol(self) -> Any:
        return self._evaluator.get("protocol")

    @property
    def merging(self) -> tuple[str, float] | None:
        given = self._evaluator
        if not given.get("originals"):
            return None
        return given.get("merge", "nms"), given.get("merge_iou", 0.5)

    @property
    def class_key(self) -> str:
        """That of the detector, which SET has as ``detector``."""
        model, at = self.cfg.model, "model"
        while "detector" in model:
            model, at = model.detector, f"{at}.detector"
        return f"{at}.roi_heads.num_classes" if "roi_heads" in model else f"{at}.num_classes"

    @property
    def crops(self) -> bool:
        steps = str(self._select("dataloader.train.mapper", {}).get("augmentations"))
        return any(name in steps for name in CROPS)

    @property
    def measures_masks(self) -> bool:
        given = self._evaluator
        return "segm" in (given.get("tasks") or ["segm"]) and not given.get("originals")

    @property
    def square(self) -> int | None:
        return self._select("dataloader.test.mapper.crop")

    @property
    def channel_order(self) -> str:
        order = self._select("dataloader.test.mapper.image_format")
        return order or self._select("dataloader.train.mapper.image_format", "BGR")

    @property
    def pixels(self) -> PixelReader | None:
        for split in ("test", "train"):
            call = self._select(f"dataloader.{split}.mapper.pixels")
            if call is not None:
                return measured(instantiate(call), self.train_sets())
        return None

    @property
    def train_steps(self) -> list[str]:
        return [name for name, _ in self._steps("train")]

    def settle_pixels(self) -> None:
        reader = self.pixels
        for split in ("test", "train"):
            call = self._select(f"dataloader.{split}.mapper.pixels")
            if call is not None and call.range == DATASET and reader is not None:
                call.range = reader.as_dict()["range"]

    @property
    def image_sizes(self) -> ImageSizes:
        test = (0, 0)
        for name, step in self._steps("test"):
            if name != "ResizeShortestEdge":
                raise UserError(
                    f"{self.source}: dataloader.test.mapper.augmentations has {name}; images of "
                    "one's own are resized by ResizeShortestEdge alone: remove the step"
                )
            test = _edges(step)
        train, window, first = (0, 0), None, False
        for name, step in self._steps("train"):
            resized = edges_of_scale(step) if name == "ResizeScale" else (0, 0)
            resized = _edges(step) if name == "ResizeShortestEdge" else resized
            if resized[0]:
                train, first = resized, window is not None
            else:
                window = window_of_step(name, step) or window
        return after_crops(test, train, window, first=first)

    def train_sets(self) -> list[str]:
        return self._sets("train")

    def test_sets(self) -> list[str]:
        return self._sets("test")

    def model(self, device: str | None = None) -> nn.Module:
        if device is None:
            tell_waiting()  # that the config's own device is not there
        return lean(instantiate(self.cfg.model)).to(device or self.cfg.train.device)

    def optimizer(self, model: nn.Module) -> Optimizer:
        optimizer = copy.deepcopy(self.cfg.optimizer)
        optimizer.params.model = model
        made = regroup(
            instantiate(optimizer), model, self.setting("PARAM_GROUPS"), key="train.param_groups"
        )
        clipping = self._select("train.clip_gradients", {})
        return clip_by(made, dict(clipping), key="train.clip_gradients")

    def schedule(self, optimizer: Optimizer) -> Any:
        return instantiate(self.cfg.lr_multiplier)

    @property
    def tests_unnamed(self) -> bool:
        return bool(self._select("dataloader.test"))

    @property
    def eval_period(self) -> int:
        return self.cfg.train.eval_period

    def test_loader(self, dataset_name: str = "", *, truth: bool = False) -> Any:
        self.settle_pixels()
        call = copy.deepcopy(self.cfg.dataloader.test)
        if truth:
            names = self.test_sets()
            call.mapper.update(task_of(names[0]).truth_arguments if names else {})
        return few(instantiate(call), CfgNode(self._fast_dev_run()))

    def shorten(self) -> None:
        run = CfgNode(self._fast_dev_run())
        if not run.ENABLED:
            return
        train = self.cfg.train
        train.max_iter, train.log_period = run.ITERATIONS, 1
        train.checkpointer.period = train.eval_period = max(run.ITERATIONS // 2, 1)
        train.output_dir = os.path.join(train.output_dir, SHORT)

    def _fast_dev_run(self) -> dict[str, Any]:
        return {n: self.setting(f"FAST_DEV_RUN.{n}") for n in ("ENABLED", "ITERATIONS", "IMAGES")}

    def evaluator(
        self, dataset_name: str = "", output_dir: str | None = None
    ) -> DatasetEvaluator | None:
        """``dataloader.evaluator``; None where there is none."""
        if self.cfg.dataloader.get("evaluator") is None:
            return None
        call = copy.deepcopy(self.cfg.dataloader.evaluator)
        if output_dir or call.get("output_dir") is None:
            call.output_dir = output_dir or os.path.join(self.output_dir, "inference")
        return instantiate(call)

    def test_mapper(self, dataset_name: str, *, truth: bool = False) -> Callable[[dict], dict]:
        self.settle_pixels()
        call = copy.deepcopy(self._select("dataloader.test.mapper"))
        if call is None:
            raise UserError(
                f"{self.source}: has no dataloader.test.mapper, which prepares the images"
            )
        if truth:
            call.update(task_of(dataset_name).truth_arguments)
        return instantiate(call)

    def frequency_stem(self) -> Any:
        for call in _calls(self.cfg.model):
            target = call["_target_"]
            kind = locate(target) if isinstance(target, str) else target
            if isinstance(kind, type) and issubclass(kind, FixedStem):
                call = call.copy()
                call.update(mean=None, std=None, pixel_mean=[128.0] * 3, pixel_std=[1.0] * 3)
                return instantiate(call)
        return None

    def without_gate(self) -> None:
        return None

    def check_parts(self) -> None:
        """The reader of lazy configs has looked at every call."""

    def check_sets(self, *, eval_only: bool) -> None:
        """A loader of one's own may read something else than data sets of the catalog."""

    def check_mask_mapper(self) -> None:
        mapper = self._select("dataloader.train.mapper", {})
        is_usual = "DatasetMapper" in str(mapper.get("_target_"))
        if is_usual and not mapper.get("use_instance_mask"):
            raise UserError(
                "the model has a mask head, but dataloader.train.mapper gives it no masks: set "
                "dataloader.train.mapper.use_instance_mask to True"
            )

    def _steps(self, split: str) -> list[tuple[str, Any]]:
        """(name of the class, call) of each augmentation of a mapper."""
        steps = self._select(f"dataloader.{split}.mapper.augmentations", [])
        return [(step_name(step), step) for step in steps]

    @property
    def _evaluator(self) -> Any:
        return self._select("dataloader.evaluator", {})

    def _select(self, key: str, otherwise: Any = None) -> Any:
        found = OmegaConf.select(self.cfg, key)
        return otherwise if found is None else found

    def _sets(self, split: str) -> list[str]:
        names = self._select(f"dataloader.{split}.dataset.names", [])
        return [names] if isinstance(names, str) else list(names)


def _edges(step: DictConfig) -> tuple[int, int]:
    """(short side, longest side) of a ResizeShortestEdge, the largest of several."""
    given = step.short_edge_length
    short = int(given if isinstance(given, int) else max(given))
    return (short, int(step.get("max_size", sys.maxsize))) if short else (0, 0)


def _calls(node: Any) -> Iterator[DictConfig]:
    """Every call below a node of a lazy config."""
    children: list[Any]
    if isinstance(node, DictConfig):
        if "_target_" in node:
            yield node
        children = [node._get_node(key) for key in node]
    elif isinstance(node, ListConfig):
        children = [node._get_node(place) for place in range(len(node))]
    else:
        return
    for child in children:
        yield from _calls(child)
