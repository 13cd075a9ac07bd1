"""Fitting the names in a checkpoint to those of a model.

Weights of Caffe2's Detectron are renamed first; then each parameter of the model takes the
checkpoint's longest name that its own name ends with.
"""

import logging
import re
from collections import defaultdict
from collections.abc import Mapping

import torch
from tabulate import tabulate

__all__ = ["align_and_update_state_dicts", "convert_c2_detectron_names"]

_BLOB = re.compile(r"(?P<layer>.+?)_(?P<norm>(bn|gn)_)?(?P<kind>w|b|s|rm|riv)")
_KINDS = {"w": "weight", "s": "weight", "b": "bias", "rm": "running_mean", "riv": "running_var"}
_RPN_HEAD = "proposal_generator.rpn_head"
_LAYERS = [  # (Caffe2's name of a layer, ours); the first that fits the whole name counts
    (r"(res_)?conv1", "stem.conv1"),
    (r"res(\d)_(\d+)_branch1", r"res\1.\2.shortcut"),
    (r"res(\d)_(\d+)_branch2a", r"res\1.\2.conv1"),
    (r"res(\d)_(\d+)_branch2b", r"res\1.\2.conv2"),
    (r"res(\d)_(\d+)_branch2c", r"res\1.\2.conv3"),
    (r"pred", "linear"),
    (r"fpn_inner_res(\d)_\d+_sum(_lateral)?", r"fpn_lateral\1"),
    (r"fpn_res(\d)_\d+_sum", r"fpn_output\1"),
    (r"conv_rpn(_fpn\d)?", f"{_RPN_HEAD}.conv"),
    (r"rpn_bbox_pred(_fpn\d)?", f"{_RPN_HEAD}.anchor_deltas"),
    (r"rpn_cls_logits(_fpn\d)?", f"{_RPN_HEAD}.objectness_logits"),
    (r"fc6", "box_head.fc1"),
    (r"fc7", "box_head.fc2"),
    (r"head_conv(\d)", r"box_head.conv\1"),
    (r"(cls_score|bbox_pred)", r"\1"),
]


def _translate(blob: str) -> str:
    parts = _BLOB.fullmatch(blob)
    if parts is None:
        return blob.replace("_", ".")
    layer = parts["layer"]
    for pattern, replacement in _LAYERS:
        found = re.fullmatch(pattern, layer)
        if found:
            layer = found.expand(replacement)
            break
    else:
        layer = layer.replace("_", ".")
    return f"{layer}{'.norm' if parts['norm'] else ''}.{_KINDS[parts['kind']]}"


def convert_c2_detectron_names(
    weights: Mapping[str, torch.Tensor],
) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Rename Caffe2's blobs of ResNet, FPN, RPN and box head, and reorder the classes.

    Caffe2 puts the background in front of the classes, in the scores and in the boxes (a box for
    the background, too). Here its score stands last and it has no box.

    Args:
        weights: tensors by Caffe2's names.

    Returns:
        The tensors by the new names, and the old name of each new one.

    Raises:
        ValueError: two blobs would get the same name.
    """
    converted: dict[str, torch.Tensor] = {}
    origins: dict[str, str] = {}
    for blob, value in weights.items():
        name = _translate(blob)
        if name in origins:
            raise ValueError(
                f"the Caffe2 blobs {origins[name]!r} and {blob!r} both mean {name!r}; keep one"
            )
        if name.startswith("cls_score."):
            value = value.roll(-1, 0)
        elif name.startswith("bbox_pred.") and value.shape[0] > 4:
            value = value[4:]
        converted[name], origins[name] = value, blob
    return converted, origins


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
    logger = logging.getLogger(__name__)
    origins = {name: name for name in ckpt_state_dict}
    if c2_conversion:
        ckpt_state_dict, origins = convert_c2_detectron_names(ckpt_state_dict)

    place_of: dict[str, str] = {}  # name in the checkpoint -> name in the model
    for place, parameter in model_state_dict.items():
        name = _longest_ending(place, ckpt_state_dict)
        if name is None:
            continue
        if ckpt_state_dict[name].shape != parameter.shape:
            logger.warning(
                "'%s' of the checkpoint will not be loaded: its shape is %s, but that of '%s' in "
                "the model is %s. Check whether this is meant",
                *(origins[name], tuple(ckpt_state_dict[name].shape)),
                *(place, tuple(parameter.shape)),
            )
        elif name in place_of:
            raise ValueError(
                f"{origins[name]!r} of the checkpoint fits both {place_of[name]!r} and {place!r} "
                "of the model; give it a longer name"
            )
        else:
            place_of[name] = place

    if place_of:
        logger.info("Weights taken from the checkpoint:\n%s", _table(place_of, origins))
    else:
        logger.warning("No weights in the checkpoint fit the model")
    return {place_of.get(name, name): value for name, value in ckpt_state_dict.items()}


def _longest_ending(place: str, names: Mapping[str, object]) -> str | None:
    """``a.b.c``, else ``b.c``, else ``c``: the first that is among ``names``."""
    rest = place
    while rest not in names:
        _, dot, rest = rest.partition(".")
        if not dot:
            return None
    return rest


def _table(place_of: dict[str, str], origins: dict[str, str]) -> str:
    """One row a module of the model: where its parameters come from."""
    modules = defaultdict(list)
    for name, place in place_of.items():
        modules[place.rpartition(".")[0]].append((place.rpartition(".")[2], origins[name]))
    rows = [
        (module, ", ".join(leaf for leaf, _ in entries), ", ".join(source for _, source in entries))
        for module, entries in sorted(modules.items())
    ]
    return tabulate(rows, headers=["module", "parameters", "in the checkpoint"], tablefmt="pipe")
