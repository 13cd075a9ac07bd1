"""Which losses make a branch."""

import pytest
import torch

from d2freq.errors import UserError
from d2freq.modeling.set import branch_losses


def losses(*names):
    return {name: torch.tensor(float(number)) for number, name in enumerate(names, start=1)}


@pytest.mark.parametrize(
    ("names", "branches"),
    [
        (("loss_fcos_cls", "loss_fcos_loc", "loss_fcos_ctr"), {"cls": 1, "reg": 2, "ctr": 3}),
        (("loss_cls", "loss_box_reg"), {"cls": 1, "reg": 2}),
        (
            ("loss_cls", "loss_box_reg", "loss_rpn_cls", "loss_rpn_loc"),
            {"cls": 1, "reg": 2, "rpn_cls": 3, "rpn_reg": 4},
        ),
        (("loss_cls", "loss_box_reg", "loss_mask"), {"cls": 1, "reg": 2, "mask": 3}),
        (
            ("loss_cls_stage0", "loss_box_reg_stage0", "loss_cls_stage1", "loss_box_reg_stage1"),
            {"cls": 2, "reg": 3},  # means of 1 and 3, 2 and 4
        ),
    ],
)
def test_each_known_detector_has_its_branches(names, branches):
    assert branch_losses(losses(*names)) == {k: torch.tensor(float(v)) for k, v in branches.items()}


def test_a_mapping_adds_joins_and_leaves_out():
    found = branch_losses(
        losses("loss_cls", "loss_mask", "loss_extra", "loss_cls_stage2"),
        {"loss_mask": "cls", "loss_extra": "", "loss_cls_stage2": "last"},
    )
    assert found == {"cls": torch.tensor(1.5), "last": torch.tensor(4.0)}


def test_unknown_losses_are_listed_with_the_key():
    with pytest.raises(UserError, match=r"loss_depth, loss_edge.*MODEL\.SET\.BRANCHES.*loss_cls"):
        branch_losses(losses("loss_edge", "loss_cls", "loss_depth"))
