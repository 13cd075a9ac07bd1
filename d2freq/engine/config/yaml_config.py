"""A YAML config, Detectron2's CfgNode, behind the interface of :class:`Config`."""

import os
from collections.abc import Callable
from typing import Any

from detectron2.config import CfgNode
from detectron2.data import build_detection_test_loader
from detectron2.evaluation import DatasetEvaluator
from detectron2.modeling import META_ARCH_REGISTRY, build_model
from detectron2.solver import build_lr_scheduler
from torch import nn
from torch.optim import Optimizer

from d2freq.data.augmentation.config import augmenting_mapper
from d2freq.data.pixels import pixel_keys, reader_of
from d2freq.engine.config.config import Config
from d2freq.engine.config.few import SHORT, few
from d2freq.engine.config.image_sizes import ImageSizes, after_crops
from d2freq.engine.config.registry_names import (
    check_backbone_keys,
    check_registry_names,
    meta_architectures,
)
from d2freq.engine.config.windows import window_of_keys
from d2freq.engine.parameters.groups import regroup
from d2freq.engine.solver import build_optimizer
from d2freq.engine.tasks import task_of
from d2freq.errors import UserError
from d2freq.evaluation.config import tiny_keys
from d2freq.idle_keys import keys_are_read
from d2freq.modeling.assignment import lean
from d2freq.modeling.classification.config import classification_input_keys
from d2freq.modeling.frequency_input.build_stem import build_transform
from d2freq.modeling.frequency_input.config import freq_input_keys
from d2freq.modeling.registration import short_name
from d2freq.modeling.roi_heads.config import check_box_loss
from d2freq.trainer_config import host_node_keys, trainer_keys
from d2freq.utils.notices import tell_waiting
from d2freq.utils.own_keys import own_keys
from d2freq.utils.pixels import PixelReader
from d2freq.utils.pixels.reader import DATASET

__all__ = ["YamlConfig"]

# the key of the class count, by meta-architecture
CLASS_KEYS = {
    "GeneralizedRCNN": "MODEL.ROI_HEADS.NUM_CLASSES",
    "RetinaNet": "MODEL.RETINANET.NUM_CLASSES",
    "FCOS": "MODEL.FCOS.NUM_CLASSES",
    "ATSS": "MODEL.ATSS.NUM_CLASSES",
    "PAA": "MODEL.PAA.NUM_CLASSES",
    "AutoAssign": "MODEL.AUTOASSIGN.NUM_CLASSES",
    "DINO": "MODEL.DINO.NUM_CLASSES",
    "ImageClassifier": "MODEL.CLASSIFIER.NUM_CLASSES",
}


class YamlConfig(Config):
    """See :class:`Config`."""

    cfg: CfgNode
    weights_key = "MODEL.WEIGHTS"
    sets_key = "DATASETS"
    model_key = "MODEL.META_ARCHITECTURE"
    mean_key = "MODEL.PIXEL_MEAN"

    @property
    def output_dir(self) -> str:
        return self.cfg.OUTPUT_DIR

    @property
    def weights(self) -> str:
        return self.cfg.MODEL.WEIGHTS

    @property
    def strict(self) -> bool:
        return self.setting("STRICT_WEIGHTS")

    @property
    def checkpoint_period(self) -> int:
        return self.cfg.SOLVER.CHECKPOINT_PERIOD

    @property
    def checkpoint_keep(self) -> int:
        return self.setting("SOLVER.CHECKPOINT_KEEP")

    @property
    def max_iter(self) -> int:
        return self.cfg.SOLVER.MAX_ITER

    def setting(self, name: str) -> Any:
        inside = name.partition(".")[0] in host_node_keys()
        node: Any = self.cfg if inside else own_keys(self.cfg, "D2FREQ", trainer_keys())
        for part in name.split("."):
            node = node[part]
        return node

    def key_of(self, name: str) -> str:
        return name if name.partition(".")[0] in host_node_keys() else f"D2FREQ.{name}"

    @property
    def protocol(self) -> str:
        return self._tiny.PROTOCOL

    @property
    def merging(self) -> tuple[str, float] | None:
        tiny = self._tiny
        return (tiny.MERGE, tiny.MERGE_IOU) if tiny.ORIGINALS else None

    @property
    def class_key(self) -> str:
        name = short_name(META_ARCH_REGISTRY, meta_architectures(self.cfg)[-1][1])
        return CLASS_KEYS.get(name, "the model's class count")

    @property
    def crops(self) -> bool:
        return self.cfg.INPUT.CROP.ENABLED

    @property
    def measures_masks(self) -> bool:
        return not self._tiny.ORIGINALS  # where tiles are merged, boxes alone are measured

    @property
    def square(self) -> int:
        return own_keys(self.cfg, "INPUT.CLASSIFICATION", classification_input_keys()).CROP

    @property
    def channel_order(self) -> str:
        return self.cfg.INPUT.FORMAT

    @property
    def pixels(self) -> PixelReader | None:
        return reader_of(self.cfg)

    @property
    def train_steps(self) -> list[str]:
        return []  # resizing, flips, and those of INPUT.AUGMENT, which take any channels

    def settle_pixels(self) -> None:
        keys = own_keys(self.cfg, "INPUT.PIXELS", pixel_keys())
        reader = self.pixels if keys.RANGE == DATASET else None
        if reader is not None:
            keys.RANGE = reader.as_dict()["range"]

    @property
    def image_sizes(self) -> ImageSizes:
        given = self.cfg.INPUT
        short = max(given.MIN_SIZE_TRAIN)
        return after_crops(
            (given.MIN_SIZE_TEST, given.MAX_SIZE_TEST) if given.MIN_SIZE_TEST else (0, 0),
            (short, given.MAX_SIZE_TRAIN) if short else (0, 0),
            window_of_keys(self.cfg),
            first=True,  # the mappers of the host and of d2freq cut, then resize
        )

    def train_sets(self) -> list[str]:
        return list(self.cfg.DATASETS.TRAIN)

    def test_sets(self) -> list[str]:
        return list(self.cfg.DATASETS.TEST)

    def model(self, device: str | None = None) -> nn.Module:
        check_registry_names(self.cfg)  # a command that does not train has not checked the config
        if device is None:
            tell_waiting()  # that the config's own device is not there
        with keys_are_read():
            return lean(build_model(self.cfg if device is None else self._on(device)))

    def optimizer(self, model: nn.Module) -> Optimizer:
        optimizer = build_optimizer(self.cfg, model)
        return regroup(optimizer, model, self.setting("PARAM_GROUPS"))

    def schedule(self, optimizer: Optimizer) -> Any:
        return build_lr_scheduler(self.cfg, optimizer)

    @property
    def tests_unnamed(self) -> bool:
        return False

    @property
    def eval_period(self) -> int:
        return self.cfg.TEST.EVAL_PERIOD

    def test_loader(self, dataset_name: str = "", *, truth: bool = False) -> Any:
        task = task_of(dataset_name)
        if truth:
            loader = build_detection_test_loader(
                self.cfg,
                dataset_name,
                mapper=task.truth_mapper(self.cfg),
                batch_size=task.test_batch(self.cfg),
            )
        else:
            loader = task.test_loader(self.cfg, dataset_name)
        return few(loader, self.setting("FAST_DEV_RUN"))

    def shorten(self) -> None:
        run = self.setting("FAST_DEV_RUN")
        if not run.ENABLED:
            return
        cfg = self.cfg
        cfg.SOLVER.MAX_ITER, cfg.SOLVER.STEPS = run.ITERATIONS, ()
        cfg.SOLVER.CHECKPOINT_PERIOD = cfg.TEST.EVAL_PERIOD = max(run.ITERATIONS // 2, 1)
        cfg.OUTPUT_DIR = os.path.join(cfg.OUTPUT_DIR, SHORT)

    def evaluator(self, dataset_name: str = "", output_dir: str | None = None) -> DatasetEvaluator:
        """By the data set's task; where several are measured, each has a folder of its name."""
        if output_dir is None:
            output_dir = os.path.join(self.output_dir, "inference")
            if len(self.cfg.DATASETS.TEST) > 1:
                output_dir = os.path.join(output_dir, dataset_name)
        return task_of(dataset_name).evaluator(self.cfg, dataset_name, output_dir)

    def test_mapper(self, dataset_name: str, *, truth: bool = False) -> Callable[[dict], dict]:
        task = task_of(dataset_name)
        return task.truth_mapper(self.cfg) if truth else task.mapper(self.cfg, is_train=False)

    def frequency_stem(self) -> Any:
        if "dct" not in self.cfg.MODEL.BACKBONE.NAME:
            return None
        cfg = self._on(self.cfg.MODEL.DEVICE)
        keys = own_keys(cfg, "MODEL.FREQ_INPUT", freq_input_keys())
        keys.MEAN, keys.STD = [], []
        cfg.MODEL.PIXEL_MEAN, cfg.MODEL.PIXEL_STD = [128.0] * 3, [1.0] * 3
        return build_transform(cfg)

    def without_gate(self) -> tuple[str, dict[str, Any]] | None:
        if not self.source:
            return None
        models = meta_architectures(self.cfg)
        keys: dict[str, Any] = {}
        for (key, name), (_, detector) in zip(models, models[1:], strict=False):
            if short_name(META_ARCH_REGISTRY, name) == "Gated":
                *nodes, last = key.split(".")[1:]
                keys = {last: detector}
                for node in reversed(nodes):
                    keys = {node: keys}
        return self.source, keys

    def check_parts(self) -> None:
        check_registry_names(self.cfg)
        check_backbone_keys(self.cfg)
        check_box_loss(self.cfg)
        augmenting_mapper(self.cfg)  # refuses values that no augmentation takes

    def check_sets(self, *, eval_only: bool) -> None:
        if not eval_only and not self.cfg.DATASETS.TRAIN:
            raise UserError(
                "DATASETS.TRAIN is empty: name a data set, for example (tiny_scenes_train,)"
            )
        if eval_only and not self.cfg.DATASETS.TEST:
            raise UserError("DATASETS.TEST is empty: --eval-only needs a data set to measure on")

    def check_mask_mapper(self) -> None:
        """Detectron2's mapper follows MODEL.MASK_ON."""

    def set_up(self, args: Any) -> None:
        self.cfg.freeze()
        super().set_up(args)

    @property
    def _tiny(self) -> CfgNode:
        return own_keys(self.cfg, "TEST.TINY", tiny_keys())

    def _on(self, device: str) -> CfgNode:
        """A copy that may be changed, for a device."""
        cfg = self.cfg.clone()
        cfg.defrost()
        cfg.MODEL.DEVICE = device
        return cfg
