"""Trajectories in the trainer: loaders, evaluator and checks of data sets such as SeqCSIST.

A data set is one of trajectories if its metadata has the evaluator_type "seqcsist"; an unmixing
model takes these, and no other data.
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

from d2freq.data.seqcsist import SequenceMapper
from d2freq.errors import DatasetError, UserError
from d2freq.evaluation.cso.evaluator import CSOEvaluator
from d2freq.modeling.unmixing import UnmixingModel

__all__ = [
    "build_sequence_evaluator",
    "build_sequence_test_loader",
    "build_sequence_train_loader",
    "check_sequences",
    "is_sequences",
]


def is_sequences(name: str) -> bool:
    """Whether a registered data set consists of trajectories."""
    return MetadataCatalog.get(name).get("evaluator_type") == "seqcsist"


def build_sequence_train_loader(cfg: CfgNode) -> Any:
    """Endless batches of SOLVER.IMS_PER_BATCH trajectories in the order of Detectron2's sampler.

    That one shuffles each epoch anew, which the published training never did.
    """
    # the keys of a batch's shapes are for images, which are grouped by them
    return build_detection_train_loader(
        cfg, mapper=_mapper(cfg, is_train=True), aspect_ratio_grouping=False
    )


def build_sequence_test_loader(cfg: CfgNode, dataset_name: str) -> Any:
    """Every trajectory once."""
    return build_detection_test_loader(cfg, dataset_name, mapper=_mapper(cfg, is_train=False))


def build_sequence_evaluator(
    cfg: CfgNode, dataset_name: str, output_folder: str | None
) -> CSOEvaluator:
    """CSO-mAP by MODEL.UNMIXING's threshold, window and factor."""
    keys = cfg.MODEL.UNMIXING
    return CSOEvaluator(
        dataset_name,
        output_dir=output_folder,
        threshold=keys.THRESHOLD,
        window=keys.WINDOW,
        factor=keys.FACTOR,
    )


def _mapper(cfg: CfgNode, *, is_train: bool) -> SequenceMapper:
    keys = cfg.MODEL.UNMIXING
    return SequenceMapper(
        is_train,
        size=keys.SIZE,
        factor=keys.FACTOR,
        noise=cfg.INPUT.UNMIXING.NOISE,
        window=keys.WINDOW,
    )


def check_sequences(names: Iterable[str], model: torch.nn.Module) -> list[str]:
    """Check each data set of trajectories against the model.

    Args:
        names: registered data sets.
        model: of any kind, also on device "meta".

    Returns:
        The names that are left: data sets of images.

    Raises:
        DatasetError: a faulty file, or a trajectory shorter than the window.
        UserError: an unmixing model on images, another model on trajectories, or optics that are
            not the data's.
    """
    images = []
    for name in dict.fromkeys(names):
        if is_sequences(name) != isinstance(model, UnmixingModel):
            data = "trajectories" if is_sequences(name) else "images"
            raise UserError(
                f"data set {name} has {data}, which {type(model).__name__} does not take: unmixing "
                "models take trajectories (seqcsist_train), detectors take images; set DATASETS or "
                "MODEL.META_ARCHITECTURE"
            )
        if isinstance(model, UnmixingModel):
            _check_optics(name, model)
            _check_lengths(name, model.window)
        else:
            images.append(name)
    return images


def _check_optics(name: str, model: UnmixingModel) -> None:
    metadata = MetadataCatalog.get(name)
    for key in ("size", "sigma"):
        wanted, found = getattr(model, key), metadata.get(key)
        if found is not None and found != wanted:
            raise UserError(
                f"MODEL.UNMIXING.{key.upper()} is {wanted:g}, but data set {name} has {found:g}; "
                f"set it to {found:g}, or generate other data"
            )
    if not (model.decode and model.brightness):
        return
    known, found = model.brightness, metadata.get("intensity")
    if found and not known[0] <= found[0] <= found[1] <= known[1]:
        raise UserError(
            f"MODEL.UNMIXING.BRIGHTNESS is {known}, but the targets of data set {name} have "
            f"{found[0]:g} to {found[1]:g} grey levels, which the decoder would take for others; "
            f"set it to {found}"
        )


def _check_lengths(name: str, window: int) -> None:
    lengths = set()
    for record in DatasetCatalog.get(name):
        count = len(record["frames"])
        lengths.add(count)
        if count < window:
            raise DatasetError(
                f"data set {name}: trajectory {record['trajectory_id']} of {record['file_name']} "
                f"has {count} frames, a window {window} (MODEL.UNMIXING.WINDOW); leave it out, or "
                "take a smaller window"
            )
    if not lengths:
        raise DatasetError(f"data set {name} has no trajectory; generate it anew")
