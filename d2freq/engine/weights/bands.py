"""Weights of an RGB network for one of another number of bands: its first convolution adapted."""

import logging
from typing import Any

import torch
from detectron2.checkpoint.c2_model_loading import convert_c2_detectron_names
from torch import Tensor, nn

__all__ = ["adapt_filters", "fit_bands"]

logger = logging.getLogger(__name__)

# the layer that sees pixels, of ResNets and of MobileNetV2
FIRST = ("stem.conv1.weight", "features.0.0.weight")
COLOURS = 3


def adapt_filters(weight: Tensor, bands: int) -> Tensor:
    """(K, 3, h, w) of red, green and blue as (K, ``bands``, h, w).

    Of one band: the sum over the colours, which is what a grey picture in three equal planes gets.
    Of more: the colours in turn, times 3 / bands, so that a picture of equal planes gets that same
    sum and the layers behind it see what they have learned.
    """
    if bands == 1:
        return weight.sum(dim=1, keepdim=True)
    return weight[:, [band % COLOURS for band in range(bands)]] * (COLOURS / bands)


def fit_bands(checkpoint: dict[str, Any], model: nn.Module) -> dict[str, Any]:
    """Make an RGB network's checkpoint one for a model of another number of bands.

    Args:
        checkpoint: "model" has arrays or tensors by name; a Caffe2 file's names are converted.
        model: any; one whose first convolution takes three channels changes nothing, nor does a
            checkpoint of as many bands as the model has.

    Returns:
        The checkpoint, or a copy with other weights of the first convolution.
    """
    ours = {
        name: value.shape
        for name, value in model.state_dict().items()
        if name.endswith(FIRST) and value.ndim == 4 and value.shape[1] != COLOURS
    }
    if not ours:
        return checkpoint
    if checkpoint.get("__author__") == "Caffe2":
        weights, _ = convert_c2_detectron_names(checkpoint["model"])
        checkpoint = {**checkpoint, "model": weights, "__author__": "Caffe2, names converted"}
    adapted: dict[str, Any] = {}
    for name, value in checkpoint["model"].items():
        shape = next(
            (s for own, s in ours.items() if own == name or own.endswith(f".{name}")), None
        )
        if shape is None:
            continue
        weight = torch.as_tensor(value)
        if (weight.shape[0], *weight.shape[2:]) == (shape[0], *shape[2:]):
            if weight.shape[1] == COLOURS:
                adapted[name] = adapt_filters(weight, shape[1])
    if not adapted:
        return checkpoint
    for name, weight in adapted.items():
        logger.warning(
            "the checkpoint is of an RGB network: %s is adapted to %d bands (%s)",
            *(name, weight.shape[1]),
            "the sum of its colours" if weight.shape[1] == 1 else "its colours repeated, rescaled",
        )
    return {**checkpoint, "model": {**checkpoint["model"], **adapted}}
