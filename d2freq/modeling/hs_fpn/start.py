"""HS-FPN that starts as the plain FPN, for trainings too short to learn every 3x3 convolution anew.

No part of the paper. HFP and SDP stand in the way of every feature: as published they start at
random, and weights of ImageNet, or of a trained FPN, meet them unprepared.
"""

from typing import Any

import torch
from torch import nn

from d2freq.errors import UserError
from d2freq.modeling.hs_fpn.high_frequency import HighFrequencyPerception
from d2freq.modeling.hs_fpn.spatial_dependency import SpatialDependencyPerception
from d2freq.modeling.hs_fpn.switches import Switches

__all__ = ["check_start", "start_as_fpn"]


def check_start(switches: Switches) -> None:
    """Refuse what cannot start as the plain FPN.

    Raises:
        UserError: ``init`` is "fpn", and a switch would change the maps or stop all gradients.
    """
    if switches.init != "fpn":
        return
    has_hfp = switches.channel_path or switches.spatial_path
    wrong = {
        "tail_relu": (has_hfp or switches.plain_conv) and switches.tail_relu,
        "tail_norm": (has_hfp or switches.plain_conv) and switches.tail_norm != "",
        "gate_relu": has_hfp and switches.gate_relu,  # a ReLU at zero passes no gradient
        "spatial_mode": switches.spatial_path and "raw" in switches.spatial_mode,
        "sdp_norm": switches.spatial_dependency and switches.sdp_norm == "",
    }
    for name, is_wrong in wrong.items():
        if is_wrong:
            raise UserError(
                f"{Switches.label('init')} fpn: with {Switches.label(name)} "
                f"{getattr(switches, name)!r} the neck cannot start as the plain FPN; take preset "
                "paper's value of it, or init xavier"
            )


@torch.no_grad()
def start_as_fpn(module: Any) -> None:
    """Set HFP, its control or SDP so that it passes its map on as it is, up to rounding.

    The gates start at 1/2 each, the 3x3 convolution as the identity, and the norm behind SDP's
    value at zero; each of them gets a gradient from the first step on.

    Args:
        module: HFP, the ``plain_conv`` in its place, or SDP, as the neck holds them.
    """
    if isinstance(module, SpatialDependencyPerception):
        value: Any = module.key if module.value is None else module.value
        value.norm.weight.zero_()  # V = K: scores are even, too, until the weight has moved
        return
    paths = 0
    if isinstance(module, HighFrequencyPerception):
        if module.channel_path is not None:
            module.channel_path.fuse.weight.zero_()
            paths += 1
        if module.spatial_path is not None and module.spatial_path.conv is not None:
            module.spatial_path.conv.weight.zero_()
            paths += 1
    conv = module.tail.conv
    nn.init.dirac_(conv.weight)
    conv.weight.mul_(2.0 / paths if paths else 1.0)
