"""What can be known before the first iteration: names, data, class counts, masks, weights."""

import copy
import logging
import os
from collections.abc import Callable, Iterable
from typing import Any

import torch
from detectron2.config import CfgNode, instantiate
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.modeling import build_model
from detectron2.solver import build_lr_scheduler
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from d2freq.data.coco.check import check_coco, check_dataset
from d2freq.engine.config.registry_names import check_registry_names, meta_architectures
from d2freq.engine.solver import build_optimizer
from d2freq.engine.tasks.classification import check_image_folders
from d2freq.engine.tasks.detection import check_depth, check_lazy_masks, check_yaml_masks
from d2freq.engine.tasks.unmixing import check_sequences
from d2freq.engine.weights.strict import check_fits
from d2freq.errors import UserError
from d2freq.evaluation.coco.merge_tiles import check_merge, originals_json
from d2freq.evaluation.protocols import get_protocol
from d2freq.utils.choices import did_you_mean

# the key of the class count, by meta-architecture
CLASS_KEYS = {
    "GeneralizedRCNN": "MODEL.ROI_HEADS.NUM_CLASSES",
    "RetinaNet": "MODEL.RETINANET.NUM_CLASSES",
    "FCOS": "MODEL.FCOS.NUM_CLASSES",
    "D2FreqFCOS": "MODEL.FCOS.NUM_CLASSES",
    "ImageClassifier": "MODEL.CLASSIFIER.NUM_CLASSES",
}


def check_yaml(cfg: CfgNode, *, eval_only: bool = False, resume: bool = False) -> None:
    """Raise UserError for what would fail, or be silently wrong, once training has begun."""
    check_registry_names(cfg)
    get_protocol(cfg.TEST.TINY.PROTOCOL)
    if cfg.TEST.TINY.ORIGINALS:
        check_merge(cfg.TEST.TINY.MERGE, cfg.TEST.TINY.MERGE_IOU)
        check_originals(cfg.DATASETS.TEST)
    dry = cfg.clone()
    dry.defrost()
    dry.MODEL.DEVICE = "meta"
    model = _try("the model", lambda: build_model(dry))
    if not eval_only:
        check_trainable(model)
        optimizer = _try("the optimizer", lambda: build_optimizer(dry, model))
        _try("the schedule", lambda: build_lr_scheduler(dry, optimizer))
    train = [] if eval_only else list(cfg.DATASETS.TRAIN)
    check_names([*train, *cfg.DATASETS.TEST], where="DATASETS")
    if not eval_only and not train:
        raise UserError(
            "DATASETS.TRAIN is empty: name a data set, for example (tiny_scenes_train,)"
        )
    if eval_only and not cfg.DATASETS.TEST:
        raise UserError("DATASETS.TEST is empty: --eval-only needs a data set to measure on")
    weights = _last_checkpoint(cfg.OUTPUT_DIR) if resume else ""
    weights = weights or cfg.MODEL.WEIGHTS
    check_weights(
        weights, cfg.OUTPUT_DIR, eval_only=eval_only and learns(model), key="MODEL.WEIGHTS"
    )
    if cfg.D2FREQ.STRICT_WEIGHTS:
        check_checkpoint(model, weights, complete=eval_only)
    key = CLASS_KEYS.get(meta_architectures(cfg)[-1][1], "the model's class count")
    images = check_sequences([*train, *cfg.DATASETS.TEST], model)
    images = check_image_folders(images, model, key=key)
    check_datasets(images, _classes_of(model), key=key)
    check_depth(images, model)
    check_yaml_masks(cfg, model, train=train)


def check_lazy(cfg: DictConfig, *, eval_only: bool = False, resume: bool = False) -> None:
    """As check_yaml, for a lazy config."""
    protocol = OmegaConf.select(cfg, "dataloader.evaluator.protocol")
    if isinstance(protocol, str):
        get_protocol(protocol)
    evaluator = OmegaConf.select(cfg, "dataloader.evaluator") or {}
    if evaluator.get("originals"):
        check_merge(evaluator.get("merge", "nms"), evaluator.get("merge_iou", 0.5))
        check_originals(lazy_datasets(cfg, "test"))
    model = _try("the model", lambda: instantiate(cfg.model))
    if not eval_only:
        check_trainable(model)
        optimizer = copy.deepcopy(cfg.optimizer)
        optimizer.params.model = model
        _try("the optimizer", lambda: instantiate(optimizer))
        _try("the schedule", lambda: instantiate(cfg.lr_multiplier))
    train, test = ([] if eval_only else lazy_datasets(cfg, "train")), lazy_datasets(cfg, "test")
    names = [*train, *test]
    check_names(names, where="dataloader")
    folder = cfg.train.output_dir
    weights = _last_checkpoint(folder) if resume else ""
    weights = weights or cfg.train.get("init_checkpoint", "")
    check_weights(
        weights, folder, eval_only=eval_only and learns(model), key="train.init_checkpoint"
    )
    if cfg.train.get("strict_weights", True):
        check_checkpoint(model, weights, complete=eval_only)
    key = _lazy_class_key(cfg.model)
    images = check_image_folders(check_sequences(names, model), model, key=key)
    check_datasets(images, _classes_of(model), key=key)
    check_depth(images, model)
    check_lazy_masks(cfg, model, train=train, test=test)


def _lazy_class_key(model: DictConfig, at: str = "model") -> str:
    """The key of the class count of a lazy config's detector, which SET has as ``detector``."""
    if "detector" in model:
        return _lazy_class_key(model.detector, f"{at}.detector")
    return f"{at}.roi_heads.num_classes" if "roi_heads" in model else f"{at}.num_classes"


def _classes_of(model: torch.nn.Module) -> int | None:
    """How many classes a detector tells apart; None where it does not say."""
    return getattr(getattr(model, "roi_heads", model), "num_classes", None)


def lazy_datasets(cfg: DictConfig, split: str) -> list[str]:
    """Names of the data sets that a lazy config's loader of "train" or "test" reads."""
    found = OmegaConf.select(cfg, f"dataloader.{split}.dataset.names")
    if found is None:
        return []
    return [found] if isinstance(found, str) else list(found)


def check_names(names: Iterable[str], *, where: str) -> None:
    """Raise UserError for a data set that the catalog does not know."""
    known = DatasetCatalog.list()
    for name in names:
        if name not in known:
            near = did_you_mean(name, known, n=3, cutoff=0.4)
            hint = near or "; register it before training"
            raise UserError(f"{where}: data set {name!r} is not in the catalog{hint}")


def check_originals(names: Iterable[str]) -> None:
    """Raise UserError for a data set that is not tiles, or tiles of a faulty originals.json."""
    for name in names:
        check_coco(originals_json(name), allow_ignore=True).raise_if_faulty()


def learns(model: torch.nn.Module) -> bool:
    """Whether there are weights to train and to load; ISTA, for one, has none."""
    return next(model.parameters(), None) is not None


def check_trainable(model: torch.nn.Module) -> None:
    """Raise UserError for a model that has nothing to train."""
    if not learns(model):
        raise UserError(
            f"{type(model).__name__} has nothing to train: measure it with --eval-only, without "
            "weights"
        )


def check_weights(weights: str, output_dir: str, *, eval_only: bool, key: str) -> None:
    """Raise UserError for weights that are named but not there, or missing for evaluation.

    Args:
        weights: the checkpoint that --resume found in ``output_dir``, else what ``key`` names.
    """
    if eval_only and not weights:
        raise UserError(
            f"--eval-only measures trained weights, but {key} is empty: set it, or --resume "
            f"with a checkpoint in {output_dir}"
        )
    if weights and "://" not in weights and not os.path.isfile(weights):
        raise UserError(f"{key}: {weights}: no such file")


def check_checkpoint(model: torch.nn.Module, weights: str, *, complete: bool) -> None:
    """Raise UserError for a local file that cannot be read or does not fit the model.

    Args:
        model: on device "meta".
        complete: every tensor of the model has to be in the file, as for evaluation.
    """
    if weights and "://" not in weights:
        check_fits(model, weights, complete=complete)


def _last_checkpoint(output_dir: str) -> str:
    """The file that --resume would load, or ""."""
    marker = os.path.join(output_dir, "last_checkpoint")
    if not os.path.isfile(marker):
        return ""
    with open(marker, encoding="utf-8") as file:
        return os.path.join(output_dir, file.read().strip())


def check_datasets(names: Iterable[str], num_classes: int | None, *, key: str) -> None:
    """Check each data set's files, and its class count against the model's.

    Raises:
        UserError: a fault in a file (see check_dataset), or another class count.
    """
    for name in dict.fromkeys(names):
        check_dataset(name)
        classes = MetadataCatalog.get(name).get("thing_classes")
        if classes is None:  # known only after loading, as for any COCO file
            DatasetCatalog.get(name)
            classes = MetadataCatalog.get(name).get("thing_classes")
        if num_classes is not None and classes is not None and len(classes) != num_classes:
            raise UserError(
                f"{key} is {num_classes}, but data set {name} has {len(classes)} classes "
                f"({', '.join(classes)}); set {key} to {len(classes)}"
            )


def _try(what: str, build: Callable[[], Any]) -> Any:
    """Build something without memory for weights, so that a bad switch shows at once."""
    logging.disable(logging.ERROR)  # the error that is raised says it all
    try:
        with torch.device("meta"):
            return build()
    except UserError:
        raise
    except (
        AssertionError,
        ImportError,
        KeyError,
        NotImplementedError,
        OmegaConfBaseException,
        TypeError,
        ValueError,
    ) as error:
        raise UserError(f"{what} cannot be built: {error}") from error
    finally:
        logging.disable(logging.NOTSET)
