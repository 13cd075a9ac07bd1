"""Images with objects: mapper, loaders, evaluator and checks for a detector."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detectron2.config import CfgNode
from detectron2.data import (
    DatasetCatalog,
    DatasetMapper,
    MetadataCatalog,
    build_detection_test_loader,
    build_detection_train_loader,
    get_detection_dataset_dicts,
)
from detectron2.data.detection_utils import build_augmentation
from torch import nn

from d2freq.data.augmentation.config import augmenting_mapper
from d2freq.data.coco.check import check_dataset
from d2freq.data.coco.classes import Classes, classes_of_file, compare_classes
from d2freq.data.coco.faults_of_boxes import CROWDS_ALONE
from d2freq.data.coco.faults_of_images import Depth
from d2freq.data.pixels import PixelDatasetMapper, reader_of
from d2freq.engine.tasks.masks import check_masks
from d2freq.engine.tasks.pixels import check_pixels
from d2freq.engine.tasks.task import Task
from d2freq.errors import DatasetError, UserError
from d2freq.evaluation import TinyCOCOEvaluator
from d2freq.evaluation.config import tiny_keys
from d2freq.utils.files import read_json
from d2freq.utils.own_keys import own_keys

if TYPE_CHECKING:
    from d2freq.engine.config import Config

__all__ = ["Detection", "classes_of", "gives_masks"]

logger = logging.getLogger(__name__)


class Detection(Task):
    """Boxes, and masks where the model has them, measured by TEST.TINY; see :class:`Task`."""

    evaluator_type = "coco"  # and every other that no task has
    data = "images"
    takers = "detectors take images with objects"
    truth_arguments = {"is_train": True, "use_instance_mask": False}

    def accepts(self, model: nn.Module) -> bool:
        return True  # whatever no other task takes

    def mapper(self, cfg: CfgNode, *, is_train: bool) -> Callable[[dict], dict]:
        """Detectron2's own; with INPUT.PIXELS.RANGE one that reads pictures of any depth."""
        if reader_of(cfg) is None:
            return DatasetMapper(cfg, is_train=is_train)
        return PixelDatasetMapper(cfg, is_train=is_train)

    def truth_mapper(self, cfg: CfgNode) -> Callable[[dict], dict]:
        reader = reader_of(cfg)
        kind: Any = DatasetMapper if reader is None else PixelDatasetMapper
        return kind(
            is_train=True,  # keeps the ground truth; the augmentations are those of testing
            augmentations=build_augmentation(cfg, is_train=False),
            image_format=cfg.INPUT.FORMAT,
            use_instance_mask=False,
            **({} if reader is None else {"pixels": reader}),
        )

    def train_loader(self, cfg: CfgNode) -> Any:
        """Detectron2's own; with INPUT.AUGMENT its mapper is AugmentingDatasetMapper."""
        mapper = augmenting_mapper(cfg)
        if mapper is None and reader_of(cfg) is None:
            return build_detection_train_loader(cfg)
        if mapper is None:
            return build_detection_train_loader(cfg, mapper=self.mapper(cfg, is_train=True))
        records = get_detection_dataset_dicts(
            cfg.DATASETS.TRAIN, filter_empty=cfg.DATALOADER.FILTER_EMPTY_ANNOTATIONS
        )
        mapper.draw_from(records)
        return build_detection_train_loader(cfg, mapper=mapper, dataset=records)

    def test_loader(self, cfg: CfgNode, dataset_name: str) -> Any:
        """Detectron2's own, with the mapper of testing."""
        return build_detection_test_loader(
            cfg, dataset_name, mapper=self.mapper(cfg, is_train=False)
        )

    def evaluator(self, cfg: CfgNode, dataset_name: str, output_dir: str) -> TinyCOCOEvaluator:
        """By TEST.TINY."""
        tiny = own_keys(cfg, "TEST.TINY", tiny_keys())
        return TinyCOCOEvaluator(
            dataset_name,
            output_dir=output_dir,
            protocol=tiny.PROTOCOL,
            strict=tiny.STRICT,
            originals=tiny.ORIGINALS,
            merge=tiny.MERGE,
            merge_iou=tiny.MERGE_IOU,
        )

    def check(
        self, names: Sequence[str], model: nn.Module, config: "Config", *, train: Sequence[str]
    ) -> None:
        """Raise for faulty files, another class count, other bits or bands, or missing masks."""
        lenient = config.setting("DATALOADER.BAD_IMAGES") != "raise"
        decoded: Depth = "decode" if config.setting("DECODE_IMAGES") else "size"
        # a set that is measured, too, has to be whole: pictures are passed over in training alone
        passing = set(train) - set(config.test_sets()) if lenient else set()
        depths: dict[str, Depth] = {name: "none" if name in passing else decoded for name in names}
        for name, images in depths.items():
            check_dataset(name, images=images)
        check_agreement(config)
        check_class_counts(names, classes_of(model), key=config.class_key)
        check_objects(train, depths)
        check_pixels(depths, model, config)
        if not gives_masks(model):
            return
        if train:
            config.check_mask_mapper()
        check_masks(train, crops=config.crops)
        if config.measures_masks:
            check_masks(config.test_sets(), crops=False)


def gives_masks(model: nn.Module) -> bool:
    """Whether a detector, also one within SET, has a mask head."""
    return bool(getattr(getattr(model, "roi_heads", None), "mask_on", False))


def classes_of(model: nn.Module) -> int | None:
    """How many classes a detector tells apart; None where it does not say."""
    return getattr(getattr(model, "roi_heads", model), "num_classes", None)


def check_class_counts(names: Sequence[str], num_classes: int | None, *, key: str) -> None:
    """Check the class count of each data set against the model's.

    Args:
        num_classes: of the model.
        key: of that, for messages.

    Raises:
        UserError: it is another one.
    """
    for name in names:
        classes = MetadataCatalog.get(name).get("thing_classes")
        if classes is None:  # known only after loading, as for any COCO file
            DatasetCatalog.get(name)
            classes = MetadataCatalog.get(name).get("thing_classes")
        if num_classes is not None and classes is not None and len(classes) != num_classes:
            raise UserError(
                f"{key} is {num_classes}, but data set {name} has {len(classes)} classes "
                f"({', '.join(classes)}); set {key} to {len(classes)}"
            )


def check_objects(train: Sequence[str], depths: Mapping[str, Depth]) -> None:
    """Check that there is something to train on.

    Args:
        train: data sets that are trained on.
        depths: how far their images have been looked at already.

    Raises:
        DatasetError: every box of a data set is a crowd, or no data set has a box.
    """
    reports = [check_dataset(name, images=depths[name]) for name in train]
    for name, report in zip(train, reports, strict=True):
        for fault in report.repairs if report else ():
            if fault.kind == CROWDS_ALONE:
                raise DatasetError(f"data set {name}, {report.file if report else ''}: {fault}")
    known = [report for report in reports if report]
    if known and len(known) == len(train) and not any(report.objects for report in known):
        files = ", ".join(report.file for report in known)
        raise DatasetError(
            f"nothing to train on: {files} has no box that counts; name the file with the boxes"
        )


def check_agreement(config: "Config") -> None:
    """Compare classes by number and name: of data sets, and of what the weights were trained on.

    Raises:
        DatasetError: the same names stand for other numbers.
    """
    found = [each for each in map(_known_classes, config.train_sets()) if each]
    beside = Path(config.weights).parent / "classes.json" if config.weights else None
    if beside is not None and (content := read_json(beside)):
        names = tuple(map(str, content.get("classes", ())))
        found.append(Classes(str(beside), tuple(range(len(names))), names))
    known = [each for each in map(_known_classes, config.test_sets()) if each]
    everything = [*found, *known]
    for first, other in combinations(everything, 2):
        difference = compare_classes(first, other)
        if difference and difference.fatal:
            raise DatasetError(difference.text)
        if difference and first is everything[0]:
            logger.warning(difference.text)


def _known_classes(name: str) -> Classes | None:
    """Of a data set whose file is there, or whose metadata name some."""
    metadata = MetadataCatalog.get(name)
    json_file = metadata.get("json_file")
    if json_file:
        return classes_of_file(json_file) if os.path.isfile(json_file) else None
    names = metadata.get("thing_classes")
    return Classes(name, tuple(range(len(names))), tuple(names)) if names else None
