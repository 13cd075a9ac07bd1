"""What can be known before the first iteration: names, data sets, class counts, weights."""

import difflib
import os
from collections.abc import Callable, Iterable

import torch
from detectron2.config import CfgNode, instantiate
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.modeling import (
    ANCHOR_GENERATOR_REGISTRY,
    BACKBONE_REGISTRY,
    META_ARCH_REGISTRY,
    PROPOSAL_GENERATOR_REGISTRY,
    ROI_BOX_HEAD_REGISTRY,
    ROI_HEADS_REGISTRY,
    build_model,
)
from omegaconf import DictConfig, OmegaConf

from d2freq.data.coco import check_dataset
from d2freq.errors import UserError


def check_yaml(cfg: CfgNode, *, eval_only: bool = False, resume: bool = False) -> None:
    """Raise UserError for what would fail, or be silently wrong, once training has begun."""
    _check_registry_names(cfg)
    dry = cfg.clone()
    dry.defrost()
    dry.MODEL.DEVICE = "meta"
    _check_model(lambda: build_model(dry))
    train = [] if eval_only else list(cfg.DATASETS.TRAIN)
    check_names([*train, *cfg.DATASETS.TEST], where="DATASETS")
    if not eval_only and not train:
        raise UserError(
            "DATASETS.TRAIN is empty: name a data set, for example (tiny_scenes_train,)"
        )
    if eval_only and not cfg.DATASETS.TEST:
        raise UserError("DATASETS.TEST is empty: --eval-only needs a data set to measure on")
    check_weights(cfg.MODEL.WEIGHTS, eval_only=eval_only, resume=resume, key="MODEL.WEIGHTS")
    classes = None
    if cfg.MODEL.META_ARCHITECTURE in ("GeneralizedRCNN",):
        classes = cfg.MODEL.ROI_HEADS.NUM_CLASSES
    check_datasets([*train, *cfg.DATASETS.TEST], classes, key="MODEL.ROI_HEADS.NUM_CLASSES")


def check_lazy(cfg: DictConfig, *, eval_only: bool = False, resume: bool = False) -> None:
    """As check_yaml, for a lazy config's data sets, class count and initial checkpoint."""
    _check_model(lambda: instantiate(cfg.model))
    names = lazy_datasets(cfg, train=not eval_only)
    check_names(names, where="dataloader")
    weights = cfg.train.get("init_checkpoint", "")
    check_weights(weights, eval_only=eval_only, resume=resume, key="train.init_checkpoint")
    classes = OmegaConf.select(cfg, "model.roi_heads.num_classes")
    check_datasets(names, classes, key="model.roi_heads.num_classes")


def lazy_datasets(cfg: DictConfig, *, train: bool) -> list[str]:
    """Names of the data sets that a lazy config's loaders read, each once."""
    names: list[str] = []
    for split in ("train", "test") if train else ("test",):
        found = OmegaConf.select(cfg, f"dataloader.{split}.dataset.names")
        if isinstance(found, str):
            names.append(found)
        elif found is not None:
            names.extend(found)
    return list(dict.fromkeys(names))


def check_names(names: Iterable[str], *, where: str) -> None:
    """Raise UserError for a data set that the catalog does not know."""
    known = DatasetCatalog.list()
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
            hint = f"did you mean {', '.join(near)}?" if near else "register it before training"
            raise UserError(f"{where}: data set {name!r} is not in the catalog; {hint}")


def check_weights(weights: str, *, eval_only: bool, resume: bool, key: str) -> None:
    """Raise UserError for weights that are named but not there, or missing for evaluation."""
    if eval_only and not weights and not resume:
        raise UserError(f"--eval-only measures trained weights, but {key} is empty: set it")
    if weights and "://" not in weights and not os.path.isfile(weights):
        raise UserError(f"{key}: {weights}: no such file")


def check_datasets(names: Iterable[str], num_classes: int | None, *, key: str) -> None:
    """Check each data set's files, and its class count against the model's.

    Raises:
        UserError: a fault in a file (see d2freq.data.coco.check_dataset), or another class count.
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


def _check_model(build: Callable[[], torch.nn.Module]) -> None:
    """Build the model without memory for its weights, so that a bad switch shows at once."""
    try:
        with torch.device("meta"):
            build()
    except UserError:
        raise
    except (AssertionError, KeyError, NotImplementedError, ValueError) as error:
        raise UserError(f"the model cannot be built: {error}") from error


def _check_registry_names(cfg: CfgNode) -> None:
    uses = [
        ("MODEL.META_ARCHITECTURE", cfg.MODEL.META_ARCHITECTURE, META_ARCH_REGISTRY),
        ("MODEL.BACKBONE.NAME", cfg.MODEL.BACKBONE.NAME, BACKBONE_REGISTRY),
        ("MODEL.ANCHOR_GENERATOR.NAME", cfg.MODEL.ANCHOR_GENERATOR.NAME, ANCHOR_GENERATOR_REGISTRY),
    ]
    if cfg.MODEL.META_ARCHITECTURE == "GeneralizedRCNN":
        name = cfg.MODEL.PROPOSAL_GENERATOR.NAME
        if name != "PrecomputedProposals":
            uses.append(("MODEL.PROPOSAL_GENERATOR.NAME", name, PROPOSAL_GENERATOR_REGISTRY))
        uses.append(("MODEL.ROI_HEADS.NAME", cfg.MODEL.ROI_HEADS.NAME, ROI_HEADS_REGISTRY))
        box_head = cfg.MODEL.ROI_BOX_HEAD.NAME
        if box_head:
            uses.append(("MODEL.ROI_BOX_HEAD.NAME", box_head, ROI_BOX_HEAD_REGISTRY))
    for key, name, registry in uses:
        if name not in registry:
            known = sorted(entry for entry, _ in registry)
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(known)}"
            raise UserError(f"{key}: no {name!r} is registered; {hint}")
