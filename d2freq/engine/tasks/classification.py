"""Folders of images: mapper, evaluator and checks for an ImageClassifier."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog
from torch import nn

from d2freq.data.image_folders.dataset import EVALUATOR_TYPE
from d2freq.data.image_folders.mapper import ImageMapper
from d2freq.data.pixels import reader_of
from d2freq.engine.tasks.task import Task
from d2freq.errors import DatasetError, UserError
from d2freq.evaluation.topk import TopKEvaluator
from d2freq.modeling.classification import ImageClassifier
from d2freq.modeling.classification.config import classification_input_keys
from d2freq.utils.own_keys import own_keys

if TYPE_CHECKING:
    from d2freq.engine.config import Config

__all__ = ["Classification"]


class Classification(Task):
    """One class for each image, measured by top-1 and top-5; see :class:`Task`."""

    evaluator_type = EVALUATOR_TYPE
    data = "classes of whole images alone"
    takers = "an ImageClassifier takes image folders (imagenet_train)"

    def accepts(self, model: nn.Module) -> bool:
        return isinstance(model, ImageClassifier)

    def mapper(self, cfg: CfgNode, *, is_train: bool) -> ImageMapper:
        """By INPUT.CLASSIFICATION and INPUT.FORMAT."""
        keys = own_keys(cfg, "INPUT.CLASSIFICATION", classification_input_keys())
        return ImageMapper(
            is_train,
            crop=keys.CROP,
            resize=keys.RESIZE_TEST,
            area=keys.AREA,
            aspect=keys.ASPECT,
            flip=keys.FLIP,
            image_format=cfg.INPUT.FORMAT,
            pixels=reader_of(cfg),
        )

    def test_batch(self, cfg: CfgNode) -> int:
        return own_keys(cfg, "INPUT.CLASSIFICATION", classification_input_keys()).TEST_BATCH

    def evaluator(self, cfg: CfgNode, dataset_name: str, output_dir: str) -> TopKEvaluator:
        return TopKEvaluator(dataset_name, output_dir=output_dir)

    def check(
        self, names: Sequence[str], model: nn.Module, config: "Config", *, train: Sequence[str]
    ) -> None:
        """Raise for a faulty folder, splits of different classes, or another class count."""
        classes: dict[str, list[str]] = {}
        for name in names:
            DatasetCatalog.get(name)
            classes[name] = MetadataCatalog.get(name).thing_classes
            if len(classes[name]) != model.num_classes:
                raise UserError(
                    f"{config.class_key} is {model.num_classes}, but data set {name} has "
                    f"{len(classes[name])} class folders; set {config.class_key} to that, or "
                    "complete the folder"
                )
            differing = set(classes[name]) ^ set(classes[names[0]])
            if differing:
                raise DatasetError(
                    f"data sets {names[0]} and {name} have different classes, such as "
                    f"{min(differing)}: their numbers would mean different things. Name the class "
                    "folders alike"
                )
