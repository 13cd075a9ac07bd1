"""Weights of an RGB network for one that takes frequencies: its first layers have other inputs."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from detectron2.checkpoint.c2_model_loading import convert_c2_detectron_names
from torch import nn

from d2freq.modeling.frequency_input import InputStem
from d2freq.modeling.set import SET

logger = logging.getLogger(__name__)

__all__ = ["fit_frequencies"]

# of the stem in a frequency network: what the RGB stem in its place has
FIRST_LAYERS = {"stem": "stem.conv1.weight", "features.0": "features.0.0.weight"}


def fit_frequencies(checkpoint: dict[str, Any], model: nn.Module) -> dict[str, Any]:
    """Make an RGB network's checkpoint one for a model with an :class:`InputStem`.

    The RGB stem is left out. The first block behind it keeps the weights of its first input
    channels where it has fewer than behind the RGB stem, all of them where it has as many, and
    begins anew where it has more, as published. The log says which.

    Args:
        checkpoint: "model" has arrays or tensors by name; a Caffe2 file's names are converted.
        model: any. Without an InputStem, or for a checkpoint without an RGB stem, nothing changes.

    Returns:
        The checkpoint, or a copy with other weights.
    """
    if isinstance(model, SET):  # whose state_dict has the detector's tensors by the plain names
        model = model.detector
    found = next(_stems(model), None)
    if found is None:
        return checkpoint
    network, rgb_layer = found
    if checkpoint.get("__author__") == "Caffe2":
        weights, _ = convert_c2_detectron_names(checkpoint["model"])
        checkpoint = {**checkpoint, "model": weights, "__author__": "Caffe2, names converted"}
    weights = checkpoint["model"]
    first = _ending(f"{network}{rgb_layer}", rgb_layer, weights)
    if first is None:
        return checkpoint
    stem = first.removesuffix("conv1.weight").removesuffix("0.weight")
    left = {name: value for name, value in weights.items() if not name.startswith(stem)}
    notes = [f"{len(weights) - len(left)} tensors of its stem are left out"]
    ours = model.state_dict()
    for name, short, dimension in _new_inputs(model):
        source = _ending(name, short, left)
        if source is None:
            continue
        wanted, there = tuple(ours[name].shape), tuple(left[source].shape)
        cut = tuple(slice(wanted[d]) if d == dimension else slice(None) for d in range(len(wanted)))
        if len(wanted) == len(there) and tuple(left[source][cut].shape) == wanted:
            left[source] = left[source][cut]
            of = f"the first {wanted[dimension]} of {there[dimension]} channels"
            notes.append(f"{name}: {'all' if wanted == there else of}")
        else:
            del left[source]
            notes.append(f"{name}: anew, as {wanted} does not fit into {there}")
    logger.warning("the checkpoint is of an RGB network: %s", "; ".join(notes))
    return {**checkpoint, "model": left}


def _stems(model: nn.Module) -> Iterator[tuple[str, str]]:
    """Prefix of each network with an InputStem, and the name of the RGB layer in its place."""
    for name, module in model.named_modules():
        for place, rgb_layer in FIRST_LAYERS.items():
            at_end = name == place or name.endswith(f".{place}")
            if isinstance(module, InputStem) and at_end:
                yield name.removesuffix(place), rgb_layer


def _new_inputs(model: nn.Module) -> Iterator[tuple[str, str, int]]:
    """The tensors that see the stem's channels: full name, name within the network, dimension."""
    names = model.state_dict().keys()
    for prefix, module in model.named_modules():
        block = ".".join(prefix.split(".")[-2:])  # such as res2.0
        for name, dimension in getattr(module, "input_dims", {}).items():
            if f"{prefix}.{name}" in names:
                yield f"{prefix}.{name}", f"{block}.{name}", dimension


def _ending(place: str, short: str, names: Mapping[str, Any]) -> str | None:
    """The longest ending of a name, ``short`` or more of it, that is among the names."""
    while place not in names:
        if place == short:
            return None
        place = place.partition(".")[2]
    return place
