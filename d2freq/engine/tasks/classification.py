"""Folders of images in the trainer: loaders, evaluator and checks for an ImageClassifier.

A data set is such a one if its metadata has the evaluator_type "image_folder"; a classifier takes
these, and no other data.
"""

from collections.abc import Iterable
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.data import (
    DatasetCatalog,
    MetadataCatalog,
    build_detection_test_loader,
    build_detection_train_loader,
)

from d2freq.data.image_folders.dataset import EVALUATOR_TYPE
from d2freq.data.image_folders.mapper import ImageMapper
from d2freq.errors import DatasetError, UserError
from d2freq.evaluation.topk import TopKEvaluator
from d2freq.modeling.classification import ImageClassifier

__all__ = [
    "build_image_evaluator",
    "build_image_test_loader",
    "build_image_train_loader",
    "check_image_folders",
    "image_mapper",
    "is_image_folder",
]


def is_image_folder(name: str) -> bool:
    """Whether a registered data set consists of image folders."""
    return MetadataCatalog.get(name).get("evaluator_type") == EVALUATOR_TYPE


def build_image_train_loader(cfg: CfgNode) -> Any:
    """Endless batches of SOLVER.IMS_PER_BATCH squares in the order of Detectron2's sampler."""
    # all squares have one shape: nothing to group
    return build_detection_train_loader(
        cfg, mapper=image_mapper(cfg, is_train=True), aspect_ratio_grouping=False
    )


def build_image_test_loader(cfg: CfgNode, dataset_name: str) -> Any:
    """Every image once, in batches of INPUT.CLASSIFICATION.TEST_BATCH."""
    return build_detection_test_loader(
        cfg,
        dataset_name,
        mapper=image_mapper(cfg, is_train=False),
        batch_size=cfg.INPUT.CLASSIFICATION.TEST_BATCH,
    )


def build_image_evaluator(dataset_name: str, output_folder: str | None) -> TopKEvaluator:
    """Top-1 and top-5."""
    return TopKEvaluator(dataset_name, output_dir=output_folder)


def image_mapper(cfg: CfgNode, *, is_train: bool) -> ImageMapper:
    """By INPUT.CLASSIFICATION and INPUT.FORMAT."""
    keys = cfg.INPUT.CLASSIFICATION
    return ImageMapper(
        is_train,
        crop=keys.CROP,
        resize=keys.RESIZE_TEST,
        area=keys.AREA,
        aspect=keys.ASPECT,
        flip=keys.FLIP,
        image_format=cfg.INPUT.FORMAT,
    )


def check_image_folders(names: Iterable[str], model: torch.nn.Module, *, key: str) -> list[str]:
    """Check each data set of image folders against the model, and its classes against the others'.

    Args:
        names: registered data sets.
        model: of any kind, also on device "meta".
        key: of the model's class count, for the message.

    Returns:
        The names that are left: data sets of images with objects.

    Raises:
        DatasetError: a faulty folder, or splits of different classes.
        UserError: a classifier on other data, another model on image folders, or another class
            count.
    """
    names = list(dict.fromkeys(names))
    folders = [name for name in names if is_image_folder(name)]
    others = [name for name in names if name not in folders]
    is_classifier = isinstance(model, ImageClassifier)
    wrong = others if is_classifier else folders
    if wrong:
        data = "no classes of whole images" if is_classifier else "classes of whole images alone"
        raise UserError(
            f"data set {wrong[0]} has {data}, which {type(model).__name__} does not take: an "
            "ImageClassifier takes image folders (imagenet_train), other models do not; set "
            "DATASETS or MODEL.META_ARCHITECTURE"
        )
    classes: dict[str, list[str]] = {}
    for name in folders:
        DatasetCatalog.get(name)
        classes[name] = MetadataCatalog.get(name).thing_classes
        if len(classes[name]) != model.num_classes:
            raise UserError(
                f"{key} is {model.num_classes}, but data set {name} has {len(classes[name])} class "
                f"folders; set {key} to that, or complete the folder"
            )
        differing = set(classes[name]) ^ set(classes[folders[0]])
        if differing:
            raise DatasetError(
                f"data sets {folders[0]} and {name} have different classes, such as "
                f"{min(differing)}: their numbers would mean different things. Name the class "
                "folders alike"
            )
    return others
