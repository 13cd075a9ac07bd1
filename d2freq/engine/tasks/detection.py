"""What a detector needs of its data, known before the first iteration.

A mask head needs a mask on every object that is trained on or measured, and shapely where a crop
cuts polygons. A model on frequencies needs 8 bits: Detectron2 reads images of 16 bits by cutting
all values above 255 off, so such a stem would be trained on white.
"""

import importlib.util
from collections.abc import Iterable
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog
from omegaconf import DictConfig, OmegaConf

from d2freq.data.coco.check import check_dataset
from d2freq.data.coco.faults_of_images import DEEP
from d2freq.errors import DatasetError, UserError
from d2freq.modeling.frequency_input import InputStem

__all__ = ["check_depth", "check_lazy_masks", "check_yaml_masks", "gives_masks"]


# Detectron2's augmentations that cut images off at a border; others have these names within theirs
CROPS = ("RandomCrop", "FixedSizeCrop")
WITHOUT_MASKS = "MODEL.MASK_ON False, or a lazy config without a mask head"
WITHOUT_CROP = "INPUT.CROP.ENABLED False, or a lazy mapper without the crop"


def gives_masks(model: torch.nn.Module) -> bool:
    """Whether a detector, also one within SET, has a mask head."""
    return bool(getattr(getattr(model, "roi_heads", None), "mask_on", False))


def check_yaml_masks(cfg: CfgNode, model: torch.nn.Module, *, train: Iterable[str]) -> None:
    """Raise where data sets lack what the model's mask head needs.

    Args:
        model: as the config builds it, also on device "meta".
        train: the data sets that are trained on, none where there is no training.

    Raises:
        DatasetError: an object has no mask.
        UserError: INPUT.CROP is to cut polygons, and shapely is missing.
    """
    if gives_masks(model):
        _check(train, crops=cfg.INPUT.CROP.ENABLED)
        if not cfg.TEST.TINY.ORIGINALS:  # where tiles are merged, boxes alone are measured
            _check(cfg.DATASETS.TEST, crops=False)


def check_lazy_masks(
    cfg: DictConfig, model: torch.nn.Module, *, train: Iterable[str], test: Iterable[str]
) -> None:
    """As check_yaml_masks, for a lazy config; raises UserError for a mapper without masks, too."""
    if not gives_masks(model):
        return
    mapper = OmegaConf.select(cfg, "dataloader.train.mapper") or {}
    is_usual = "DatasetMapper" in str(mapper.get("_target_"))
    if train and is_usual and not mapper.get("use_instance_mask"):
        raise UserError(
            "the model has a mask head, but dataloader.train.mapper gives it no masks: set "
            "dataloader.train.mapper.use_instance_mask to True"
        )
    steps = str(mapper.get("augmentations"))
    _check(train, crops=any(name in steps for name in CROPS))
    evaluator = OmegaConf.select(cfg, "dataloader.evaluator") or {}
    if "segm" in (evaluator.get("tasks") or ["segm"]) and not evaluator.get("originals"):
        _check(test, crops=False)


def _check(names: Iterable[str], *, crops: bool) -> None:
    shapely = importlib.util.find_spec("shapely") is not None
    for name in names:
        records = DatasetCatalog.get(name)
        _check_complete(name, records)
        polygons = next((r for r in records if any(map(_is_polygons, _objects(r)))), None)
        if polygons is not None and crops and not shapely:
            raise UserError(
                f"data set {name} has masks as polygons, the first in {_where(polygons)}, and "
                "cutting them off at the border of a crop needs shapely: pip install shapely, or "
                f"train on whole images ({WITHOUT_CROP})"
            )


def _check_complete(name: str, records: list[dict]) -> None:
    objects = [(record, each) for record in records for each in _objects(record)]
    bare = [record for record, each in objects if "segmentation" not in each]
    if bare:
        raise DatasetError(
            f"data set {name} has no mask for {len(bare)} of {len(objects)} objects, the first in "
            f"{_where(bare[0])}, and the model has a mask head: add a segmentation to each "
            f"annotation, or train boxes alone ({WITHOUT_MASKS})"
        )


def _objects(record: dict) -> list[dict[str, Any]]:
    """The annotations that are trained on; crowds are not."""
    return [each for each in record.get("annotations", ()) if not each.get("iscrowd", 0)]


def _is_polygons(annotation: dict) -> bool:
    return isinstance(annotation["segmentation"], list)


def _where(record: dict) -> str:
    return f"{record.get('file_name')} (image_id {record.get('image_id')})"


def check_depth(names: Iterable[str], model: torch.nn.Module) -> None:
    """Raise where a model with a frequency input is to see images of more than 8 bits.

    Args:
        names: registered data sets, whose files have been checked already.
        model: also on device "meta".

    Raises:
        DatasetError: such images, named and counted, with the cure.
    """
    if not any(isinstance(module, InputStem) for module in model.modules()):
        return
    for name in dict.fromkeys(names):
        report = check_dataset(name)
        for note in report.notes if report else ():
            if note.kind == DEEP:
                raise DatasetError(f"data set {name}: {note}")
