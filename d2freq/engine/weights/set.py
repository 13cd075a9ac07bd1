"""Weights across the line between a detector and the same one trained with SET."""

import logging
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch

from d2freq.errors import UserError
from d2freq.modeling.set.checkpoint_names import DETECTOR, OWN
from d2freq.utils.files import replacing

logger = logging.getLogger(__name__)

__all__ = ["detector_weights", "fit_set", "is_set", "serves_training_alone", "strip"]

FORMER_SMOOTHING = "smoothing."  # SET's own, in checkpoints that have DETECTOR too


def is_set(names: Collection[str]) -> bool:
    """Do these names of a checkpoint's tensors belong to a SET model?"""
    return any(name.startswith((DETECTOR, OWN)) for name in names)


def detector_weights(weights: Mapping[str, Any]) -> dict[str, Any]:
    """The detector's tensors of a SET checkpoint, under the names of the plain detector."""
    if any(name.startswith(DETECTOR) for name in weights):  # from before SET kept these names
        prefix = len(DETECTOR)
        return {n[prefix:]: value for n, value in weights.items() if n.startswith(DETECTOR)}
    return {n: value for n, value in weights.items() if not n.startswith(OWN)}


def serves_training_alone(name: str) -> bool:
    """Is this tensor of a model's state_dict one that SET's evaluation makes no use of?"""
    return name.startswith(OWN)


def fit_set(weights: Mapping[str, Any], model: Collection[str]) -> Mapping[str, Any]:
    """A checkpoint's tensors under the plain names, without SET's own where the model has none.

    A SET model itself takes any of the three kinds: see d2freq.modeling.set.checkpoint_names.

    Args:
        weights: tensors by name.
        model: names of the model's tensors, as its state_dict has them.
    """
    if not is_set(weights):
        return weights
    ours = detector_weights(weights)
    if is_set(model):
        own = {n: v for n, v in weights.items() if n.startswith(OWN)}
        former = {OWN + n: v for n, v in weights.items() if n.startswith(FORMER_SMOOTHING)}
        return {**ours, **(own or former)}
    logger.info(
        "the checkpoint was trained with SET: its detector is read, and %d tensors of SET, "
        "which serve training alone, are left out",
        len(weights) - len(ours),
    )
    return ours


def strip(source: str | os.PathLike, target: str | os.PathLike, *, overwrite: bool = False) -> str:
    """Write the detector's tensors of a SET checkpoint alone, {"model": ...}; returns a line.

    Optimizer, iteration and whatever else is in the file stay behind.

    Raises:
        UserError: ``source`` is missing, unreadable or without SET, or ``target`` is there already.
    """
    source, target = Path(source), Path(target)
    if not source.is_file():
        raise UserError(f"{source}: no such file")
    if target.exists() and not overwrite:
        raise UserError(f"{target} is there already; name another file, or say --overwrite")
    weights = _read_weights(source)
    if not is_set(weights):
        raise UserError(
            f"{source} was not trained with SET: no tensor's name begins with {OWN!r}, so "
            "there is nothing to strip; a plain config reads it as it is"
        )
    ours = detector_weights(weights)
    with replacing(target) as draft:
        torch.save({"model": ours}, draft)
    sizes = [path.stat().st_size / 2**20 for path in (source, target)]
    return (
        f"{target}: {len(ours)} tensors of the detector, {sizes[1]:.1f} MB of {sizes[0]:.1f} MB; "
        f"{len(weights) - len(ours)} tensors of SET, which serve training alone, are left out"
    )


def _read_weights(path: Path) -> Mapping[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        weights = content.get("model", content)
        return {str(name): value for name, value in weights.items()}
    except Exception as error:  # a damaged file fails in as many ways as there are formats
        reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise UserError(
            f"{path} cannot be read as a checkpoint of a training: {reason[0]}"
        ) from error
