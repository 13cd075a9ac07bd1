"""HS-FPN with ``init`` "fpn": the plain FPN's pyramid at first, and a gradient for every part."""

import pytest
import torch

from d2freq.errors import UserError
from d2freq.modeling.backbones import MobileNetV2
from d2freq.modeling.backbones.fpn import FPN
from d2freq.modeling.hs_fpn import HSFPN

LEVELS = ["res2", "res3", "res4", "res5"]
IMAGES = torch.randn(2, 3, 96, 128, generator=torch.Generator().manual_seed(3))


def neck(kind=HSFPN, **switches):
    torch.manual_seed(5)
    return kind(
        bottom_up=MobileNetV2(norm="FrozenBN"),
        in_features=LEVELS,
        out_channels=32,
        norm="GN",
        **switches,
    ).double()


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"preset": "d2freq"},
        {"pool_reduce": "mean", "top_down": "two_pass"},
        {"spatial_path": False},
        {"channel_path": False, "separate_value": True},
        {"channel_path": False, "spatial_path": False, "plain_conv": True},
        {
            "gate_bias": False,
            "fusion": "interleave",
            "tail_bias": True,
            "spatial_dependency": False,
        },
    ],
)
def test_the_neck_starts_as_the_fpn_and_all_of_it_learns(switches):
    start = {} if "preset" in switches else {"init": "fpn"}
    hs_fpn, fpn = neck(**start, **switches), neck(FPN)
    fpn.load_state_dict({k: v for k, v in hs_fpn.state_dict().items() if k in fpn.state_dict()})
    images = IMAGES.double()
    with torch.no_grad():
        found, wanted = hs_fpn(images), fpn(images)
    for name, level in wanted.items():
        torch.testing.assert_close(found[name], level, rtol=1e-9, atol=1e-9)

    optimizer = torch.optim.SGD(hs_fpn.parameters(), lr=0.1)
    added = {n: p for n, p in hs_fpn.named_parameters() if n.startswith(("fpn_hfp", "fpn_sdp"))}
    for _ in range(3):  # what stands before a zero gets a gradient from the second step on
        optimizer.zero_grad()
        sum(level.square().mean() for level in hs_fpn(images).values()).backward()
        optimizer.step()
    assert added
    assert [name for name, value in added.items() if not value.grad.any()] == []


@pytest.mark.parametrize(
    ("switches", "word"),
    [
        ({"preset": "released"}, "TAIL_RELU"),
        ({"tail_norm": "GN"}, "TAIL_NORM"),
        ({"gate_relu": True}, "GATE_RELU"),
        ({"spatial_mode": "raw"}, "SPATIAL_MODE"),
        ({"sdp_norm": ""}, "SDP_NORM"),
    ],
)
def test_switches_that_cannot_start_as_the_fpn_are_refused_by_name(switches, word):
    with pytest.raises(UserError, match=rf"INIT.*fpn.*{word}"):
        neck(init="fpn", **switches)


def test_what_is_switched_off_is_no_reason_to_refuse():
    neck(init="fpn", channel_path=False, spatial_path=False, tail_norm="GN", gate_relu=True)
