"""What of a model a checkpoint leaves at random: as expected, or because the names do not fit."""

import re
from collections.abc import Iterable

from fvcore.common.checkpoint import (
    get_missing_parameters_message,
    get_unexpected_parameters_message,
)
from torch import nn

__all__ = ["new_layers"]

# the last layer of ImageNet's networks, by torchvision's, Detectron2's and MSRA's names
CLASSIFIER = re.compile(r"(stem\.|backbone\.|bottom_up\.)*(fc\d*|linear|classifier)\.[\w.]*$")


def new_layers(
    model: nn.Module, missing: Iterable[str], unexpected: Iterable[str]
) -> tuple[str, str] | None:
    """What to say of layers that start at random, in a sentence and in full.

    Args:
        missing: tensors of the model that the checkpoint lacks.
        unexpected: tensors of the checkpoint that the model lacks.

    Returns:
        None where something does not fit: no tensor has found its place, or the checkpoint holds
        more than the classifier of ImageNet beside what did; ("", "") where nothing starts anew.
    """
    missing, unexpected = list(missing), list(unexpected)
    tensors = model.state_dict(keep_vars=True)
    absent = set(missing)
    known = {id(value) for name, value in tensors.items() if name not in absent}
    new = [name for name in missing if name not in tensors or id(tensors[name]) not in known]
    # buffers that the host counts for present, such as anchors, prove nothing
    nothing = all(name in absent for name, _ in model.named_parameters())
    if nothing or not all(CLASSIFIER.match(name) for name in unexpected):
        return None
    if not new:
        return "", ""
    sentence = (
        f"new layers of {_parts(new)} start at random, {len(new)} of {len(tensors)} tensors, as is "
        "expected where the weights are of another network or of ImageNet"
    )
    lists = [get_missing_parameters_message(new)]
    if unexpected:
        lists.append(get_unexpected_parameters_message(unexpected))
    return f"{sentence}; log.txt lists them", "\n".join([sentence, *lists])


def _parts(names: Iterable[str]) -> str:
    """Backbone, neck, heads: what the tensors belong to."""
    found = set()
    for name in names:
        if "backbone." not in name:
            found.add("the heads")
        else:
            found.add("the backbone" if "bottom_up." in name else "the neck")
    order = ("the backbone", "the neck", "the heads")
    return " and ".join(part for part in order if part in found)
