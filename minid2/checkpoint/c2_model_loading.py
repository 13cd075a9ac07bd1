"""Fitting the names in a checkpoint to those of a model.

ResNet weights of Caffe2 are renamed first; then each parameter of the model takes the checkpoint's
longest name that its own name ends with.
"""

import re
from collections.abc import Mapping

import torch

from ..host import logger_of

_BLOB = re.compile(r"(?P<layer>.+?)_(?P<norm>bn_)?(?P<kind>w|b|s|rm|riv)")
_KINDS = {"w": "weight", "s": "weight", "b": "bias", "rm": "running_mean", "riv": "running_var"}
_BRANCHES = {"1": "shortcut", "2a": "conv1", "2b": "conv2", "2c": "conv3"}


def convert_c2_detectron_names(
    weights: Mapping[str, torch.Tensor],
) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Rename Caffe2's blobs of a ResNet, such as ``res2_0_branch2a_bn_s``.

    Returns:
        The tensors by the new names, and the old name of each new one.
    """
    origins = {_translate(blob): blob for blob in weights}
    return {name: weights[blob] for name, blob in origins.items()}, origins


def _translate(blob: str) -> str:
    parts = _BLOB.fullmatch(blob)
    if parts is None:
        return blob.replace("_", ".")
    layer = re.sub(r"^(res_)?conv1$", "stem.conv1", parts["layer"])
    layer = re.sub(r"branch(1|2[abc])$", lambda found: _BRANCHES[found[1]], layer)
    norm = ".norm" if parts["norm"] else ""
    return f"{layer.replace('_', '.')}{norm}.{_KINDS[parts['kind']]}"


def align_and_update_state_dicts(
    model_state_dict: Mapping[str, torch.Tensor],
    ckpt_state_dict: Mapping[str, torch.Tensor],
    c2_conversion: bool = True,
) -> dict[str, torch.Tensor]:
    """Rename a checkpoint's entries after the parameters of the model that they fit.

    ``res2.0.conv1.weight`` of a checkpoint fits ``backbone.bottom_up.res2.0.conv1.weight``. Where
    several fit, the longest one does. A fit of another shape is reported and left alone.

    Args:
        model_state_dict: of the model to be loaded into.
        ckpt_state_dict: of the checkpoint.
        c2_conversion: the checkpoint has Caffe2's names, to be converted first.

    Returns:
        The tensors under the model's names; those without a place keep their own.

    Raises:
        ValueError: one entry of the checkpoint fits two parameters.
    """
    logger = logger_of(__name__)
    if c2_conversion:
        ckpt_state_dict, _ = convert_c2_detectron_names(ckpt_state_dict)
    place_of: dict[str, str] = {}  # name in the checkpoint -> name in the model
    for place, parameter in model_state_dict.items():
        name = _longest_ending(place, ckpt_state_dict)
        if name is None:
            continue
        if ckpt_state_dict[name].shape != parameter.shape:
            logger.warning(
                "'%s' of the checkpoint will not be loaded: its shape is %s, but that of '%s' in "
                "the model is %s. Check whether this is meant",
                *(name, tuple(ckpt_state_dict[name].shape), place, tuple(parameter.shape)),
            )
        elif name in place_of:
            raise ValueError(
                f"{name!r} of the checkpoint fits both {place_of[name]!r} and {place!r} of the "
                "model; give it a longer name"
            )
        else:
            place_of[name] = place
    total = len(model_state_dict)
    logger.info("%d of the model's %d tensors are in the checkpoint", len(place_of), total)
    return {place_of.get(name, name): value for name, value in ckpt_state_dict.items()}


def _longest_ending(place: str, names: Mapping[str, object]) -> str | None:
    """``a.b.c``, else ``b.c``, else ``c``: the first that is among ``names``."""
    rest = place
    while rest not in names:
        _, dot, rest = rest.partition(".")
        if not dot:
            return None
    return rest
