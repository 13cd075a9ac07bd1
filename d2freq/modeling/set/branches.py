"""Which losses belong to which branch of a detector: the M of SET's Eq. 8.

A branch is a head's question, such as class or box. Losses that ask the same of the same head are
one branch, so that a Cascade R-CNN's three stages weigh as one head does.
"""

import re
from collections.abc import Mapping

from torch import Tensor

from d2freq.errors import UserError

__all__ = ["DEFAULT_BRANCHES", "branch_losses"]

# loss name, without "_stage0" and so on of a cascade -> branch. RetinaNet and the second stage of
# GeneralizedRCNN share two names; no detector has both.
DEFAULT_BRANCHES = {
    "loss_fcos_cls": "cls",
    "loss_fcos_loc": "reg",
    "loss_fcos_ctr": "ctr",
    "loss_cls": "cls",
    "loss_box_reg": "reg",
    "loss_rpn_cls": "rpn_cls",
    "loss_rpn_loc": "rpn_reg",
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
