"""Weights that Detectron2 publishes: the colours that they expect, and the buffers they bring."""

import logging
from typing import Any

import numpy as np
from torch import nn

logger = logging.getLogger(__name__)

__all__ = ["fit_published"]

AUTHORS = ("Caffe2", "Detectron2 Model Zoo")
BGR_MEAN = [103.53, 116.28, 123.675]  # Detectron2's default, which its files of before 2020 lack


def fit_published(checkpoint: dict[str, Any], model: nn.Module) -> dict[str, Any]:
    """Take ``pixel_mean`` and ``pixel_std`` out of a checkpoint, and warn of other colours.

    Files of 2020 hold both, which no model loads any more: a config decides on them. A network that
    gets RGB where it has learned BGR computes without an error and finds little.

    Args:
        checkpoint: "model" has arrays or tensors by name.
        model: any; one without ``pixel_mean``, or on device "meta", is not compared.

    Returns:
        The checkpoint without the two, or as it is.
    """
    weights = checkpoint["model"]
    theirs = weights.get("pixel_mean")
    if theirs is None and checkpoint.get("__author__") in AUTHORS:
        theirs = BGR_MEAN
    buffers = {name.rpartition(".")[2]: value for name, value in model.named_buffers()}
    ours = buffers.get("pixel_mean")
    if theirs is not None and ours is not None and not ours.is_meta:
        pair = [np.asarray(mean, np.float64).ravel() for mean in (theirs, ours.cpu())]
        # of other bands than three the first convolution is adapted, which is told then
        if pair[0].shape == pair[1].shape and np.abs(pair[0] - pair[1]).max() > 0.01:
            learned, given = (np.round(mean, 3).tolist() for mean in pair)
            logger.warning(
                "the checkpoint expects MODEL.PIXEL_MEAN %s, and the config has %s: set it, "
                "INPUT.FORMAT (Detectron2's own weights: BGR), MODEL.PIXEL_STD ([1, 1, 1]; "
                "[57.375, 57.12, 58.395] of X-101) and MODEL.RESNETS.STRIDE_IN_1X1 (True; False "
                "of X-101) as the checkpoint had them",
                learned,
                given,
            )
    own = {"pixel_mean", "pixel_std"} - set(model.state_dict())
    if own.isdisjoint(weights):
        return checkpoint
    return {**checkpoint, "model": {n: value for n, value in weights.items() if n not in own}}
