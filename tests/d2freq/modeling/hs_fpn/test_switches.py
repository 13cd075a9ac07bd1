"""The switches of HS-FPN: what each preset sets, per-level values, and values that are refused."""

from dataclasses import replace

import pytest

from d2freq.errors import UserError
from d2freq.modeling.hs_fpn import resolve_switches


@pytest.mark.parametrize(
    "name, values",
    {
        "fusion": ("concat", "sum"),
        "gate_bias": (True, False),
        "gate_relu": (False, True),
        "spatial_mode": (("conv",) * 4, ("raw", "raw", "conv", "conv")),
        "pool_size": ((16,) * 4, (16, 8, 1, 1)),
        "tail_bias": (False, True),
        "tail_relu": (False, True),
        "tail_norm": ("", "GN"),
        "rounding": ("ceil", "floor"),  # Eq. 2 has a strict <; the code truncates
        "top_down": ("one_pass", "two_pass"),  # Sec. 3: SDP takes C_i and P_i+1
    }.items(),
)
def test_presets_differ_in_switches_that_can_be_set_one_by_one(name, values):
    paper = resolve_switches("paper", stages=[2, 3, 4, 5], channels=256)
    released = resolve_switches("released", stages=[2, 3, 4, 5], channels=256)
    assert (getattr(paper, name), getattr(released, name)) == values
    mixed = resolve_switches("paper", stages=[2, 3, 4, 5], channels=256, **{name: values[1]})
    assert getattr(mixed, name) == values[1]


def test_the_third_preset_is_the_paper_with_another_start_and_gates_that_learn():
    paper, own = (
        resolve_switches(name, stages=[2, 3, 4, 5], channels=256) for name in ("paper", "d2freq")
    )
    assert own == replace(paper, pool_reduce="mean", init="fpn") and own != paper


def test_one_alpha_holds_at_the_filtered_levels_and_presets_follow_the_stage():
    def alphas(stages, **switches):
        return resolve_switches("released", stages=stages, channels=256, **switches)

    assert alphas([2, 3, 4, 5], alpha=0.75).alpha == (0.75, 0.75, 0, 0)
    assert alphas([3, 4, 5]).alpha == (0.25, 0, 0)
    assert alphas([3, 4, 5]).pool_size == (8, 1, 1)
    assert alphas([3, 4, 5], alpha=[1, 0.5, 0]).alpha == (1, 0.5, 0)


@pytest.mark.parametrize(
    "switches, message",
    [
        (
            {"preset": "papers"},
            "PRESET.: 'papers' is unknown; choose one of paper, released, d2freq",
        ),
        ({"fusion": "add"}, "fusion .*: got 'add'; choose from: concat, interleave, sum"),
        ({"sdp_norm": "XX"}, "sdp_norm .*: got 'XX'; choose from: '', GN, BN, SyncBN"),
        ({"alpha": 1.5}, r"alpha .*: got 1.5; choose from: a number in \[0, 1\]"),
        ({"alpha": [0.1, 0.2]}, r"alpha .*: 2 values .* 4 levels \(P2, P3, P4, P5\)"),
        ({"alpha": float("nan")}, "alpha .*: got nan"),
        ({"pool_size": 0}, "pool_size .*: got 0; choose from: a whole number"),
        ({"pool_size": [16, 8, 1, "x"]}, "pool_size .*: got 'x'"),
        ({"pool_size": 16.0}, "pool_size .*: got 16.0; choose from: a whole number"),
        ({"pool_size": [16, 8, 1, True]}, "pool_size .*: got True"),
        ({"groups": 32.0}, "groups .*: got 32.0; choose from: a whole number"),
        ({"groups": float("nan")}, "groups .*: got nan"),
        ({"groups": float("inf")}, "groups .*: got inf"),
        ({"channel_path": "yes"}, "channel_path .*: got 'yes'; choose from: True, False"),
        ({"plain_conv": True}, "plain_conv stands in the place of HFP"),
        ({"groups": 12}, "groups 12 .* does not divide the 32 channels"),
        ({"channels": 48, "groups": 16}, "sdp_norm .*: GN has 32 groups.* 48 channels"),
        ({"top_down": 2}, "top_down .*: got 2; choose from: two_pass, one_pass"),
    ],
)
def test_unknown_values_are_named_with_the_choices(switches, message):
    with pytest.raises(UserError, match=message):
        resolve_switches(**{"preset": "paper", "stages": [2, 3, 4, 5], "channels": 32} | switches)
