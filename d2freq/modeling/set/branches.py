"""Which losses belong to which branch of a detector: the M of SET's Eq. 8.

A branch is a head's question, such as class or box. Losses that ask the same of the same head are
one branch, so that a Cascade R-CNN's three stages weigh as one head does.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from d2freq.errors import UserError

__all__ = ["DEFAULT_BRANCHES", "branch_losses", "branch_table", "branch_weights"]

# loss name, without "_stage0" and so on of a cascade -> branch. RetinaNet and the second stage of
# GeneralizedRCNN share two names; no detector has both.
DEFAULT_BRANCHES = {
    "loss_fcos_cls": "cls",
    "loss_fcos_loc": "reg",
    "loss_fcos_ctr": "ctr",
    **{  # of decoder, encoder and denoising queries: the same three heads' questions
        f"loss_dino_{branch}{part}": branch
        for part in ("", "_enc", "_dn")
        for branch in ("cls", "box", "giou")
    },
    "loss_cls": "cls",
    "loss_box_reg": "reg",
    "loss_mask": "mask",
    "loss_grid": "reg",  # Grid R-CNN's, in the place of "loss_box_reg"
    "loss_rpn_cls": "rpn_cls",
    "loss_rpn_loc": "rpn_reg",
    "loss_atss_cls": "cls",
    "loss_atss_loc": "reg",
    "loss_atss_ctr": "ctr",
    "loss_paa_cls": "cls",
    "loss_paa_loc": "reg",
    "loss_paa_iou": "iou",
    "loss_autoassign_pos": "pos",
    "loss_autoassign_neg": "neg",
    "loss_autoassign_center": "center",
    "loss_gate": "",  # of the input's channels: nothing behind the backbone answers for it
}


def branch_losses(
    losses: Mapping[str, Tensor], branches: Mapping[str, str] | None = None
) -> dict[str, Tensor]:
    """One loss a branch: the mean of the losses that belong to it.

    Only its gradient's direction enters the perturbation, so mean or sum is the same; the
    reduction of gradients by the number of stages, which a cascade does, has no effect either.

    Args:
        losses: scalars by name, as a detector returns them.
        branches: loss name -> branch, on top of DEFAULT_BRANCHES; "" for a loss that perturbs
            nothing. A name without "_stage0" stands for all stages, unless the full one is there.

    Raises:
        UserError: losses without a branch, all of them listed.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.set import branch_losses
        >>> losses = {"loss_cls_stage0": torch.tensor(1.0), "loss_cls_stage1": torch.tensor(3.0)}
        >>> branch_losses({**losses, "loss_mask": torch.tensor(0.5)})
        {'cls': tensor(2.), 'mask': tensor(0.5000)}
    """
    table = {**DEFAULT_BRANCHES, **(branches or {})}
    found: dict[str, list[Tensor]] = {}
    unknown = []
    for name, loss in losses.items():
        branch = table.get(name, table.get(re.sub(r"_stage\d+$", "", name)))
        if branch is None:
            unknown.append(name)
        elif branch:
            found.setdefault(branch, []).append(loss)
    if unknown:
        raise UserError(
            f"SET: no branch is known for {', '.join(sorted(unknown))}. Name one for each in "
            "MODEL.SET.BRANCHES (branches= in a lazy config), with losses of the same head under "
            f"one name, or '' for a loss that shall perturb nothing; known: {', '.join(table)}"
        )
    return {branch: sum(group[1:], group[0]) / len(group) for branch, group in found.items()}


def branch_table(given: Any) -> dict[str, str]:
    """MODEL.SET.BRANCHES as a dict: loss name -> branch.

    Args:
        given: pairs, as a YAML config has them, a mapping, or None.

    Raises:
        UserError: no pairs, one loss twice, or what is no name.
    """
    table = _pairs(given, "BRANCHES", example='[["loss_mask", "mask"]]')
    for loss, branch in table.items():
        if not isinstance(branch, str):
            raise UserError(
                f"MODEL.SET.BRANCHES: the branch of {loss} is {branch!r}; write a name, or '' for "
                "a loss that shall perturb nothing"
            )
    return table


def branch_weights(given: Any, table: Mapping[str, str]) -> dict[str, float] | None:
    """MODEL.SET.BRANCH_WEIGHTS as a dict: branch -> lambda_m; None where nothing is given.

    Args:
        given: pairs, as a YAML config has them, a mapping, or None.
        table: what branch_table returned.

    Raises:
        UserError: no pairs, one branch twice, a branch that cannot be, or what is no number.
    """
    weights = _pairs(given, "BRANCH_WEIGHTS", example='[["cls", 0.5], ["reg", 0.5]]')
    known = sorted({*DEFAULT_BRANCHES.values(), *table.values()} - {""})
    for branch, weight in weights.items():
        if branch not in known:
            raise UserError(
                f"MODEL.SET.BRANCH_WEIGHTS: no loss is of branch {branch!r}; choose from: "
                f"{', '.join(known)}, or name it in MODEL.SET.BRANCHES"
            )
        if not isinstance(weight, int | float) or not math.isfinite(weight):
            raise UserError(
                f"MODEL.SET.BRANCH_WEIGHTS: the weight of {branch} is {weight!r}; write a number"
            )
    return weights or None


def _pairs(given: Any, key: str, *, example: str) -> dict[str, Any]:
    if isinstance(given, Mapping):
        return dict(given)
    cure = f"write pairs, such as {example}"
    if isinstance(given, str) or not isinstance(given or [], Sequence):
        raise UserError(f"MODEL.SET.{key} is {given!r}; {cure}")
    found: dict[str, Any] = {}
    for pair in given or []:
        if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
            raise UserError(f"MODEL.SET.{key}: {pair!r} is no pair; {cure}")
        name, value = pair
        if not isinstance(name, str):
            raise UserError(f"MODEL.SET.{key}: {name!r} is no name; {cure}")
        if name in found:
            raise UserError(f"MODEL.SET.{key} has {name!r} twice; leave one of the two")
        found[name] = value
    return found
