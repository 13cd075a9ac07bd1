"""The switches of HS-FPN, what each of the three presets takes, and the check of every value.

A "per level" value of a preset is a tuple for P2, P3, P4, P5 (levels of stride 4, 8, 16, 32); a
finer level takes P2's value and a coarser one P5's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from d2freq.errors import UserError
from d2freq.modeling.hs_fpn.layers import NORM_GROUPS
from d2freq.modeling.switches import SwitchSet, switch
from d2freq.utils.choices import join_names

__all__ = ["PRESETS", "Switches", "resolve_switches"]

NORMS = ("", "GN", "BN", "SyncBN")
LAST_FILTERED_STAGE = 3  # HS-FPN, Fig. 3: the high-pass filter works at P2 and P3 only


@dataclass(frozen=True)
class Switches(SwitchSet):
    """Every choice within HS-FPN.

    Preset `paper` is the reading that reproduces the parameter counts of the paper's Table 5;
    `released` is the code as the authors published it in March 2025. `d2freq` is `paper` with the
    start and the gates that a short training from ImageNet's weights needs: benchmarks/RESULTS.md,
    "Evidence".
    """

    system, section = "HSFPN", "MODEL.HSFPN"

    # --- which parts there are -----------------------------------------------------------------
    channel_path: bool = switch(
        "HFP's channel path: one weight a channel. With both paths False there is no HFP at all "
        "(no 3x3 convolution of it either, unless PLAIN_CONV asks for it).",
        default=True,
    )
    spatial_path: bool = switch("HFP's spatial path: one weight a pixel.", default=True)
    spatial_dependency: bool = switch(
        "SDP, the attention between a level and the next coarser one.", default=True
    )
    plain_conv: bool = switch(
        "A control that the paper lacks: HFP's 3x3 convolution alone, in HFP's place. Needs both "
        "paths False.",
        default=False,
    )

    # --- HFP: high-pass filter ------------------------------------------------------------------
    alpha: tuple[float, ...] = switch(
        "Part of the DCT rows and columns that is removed. One number holds at P2 and P3, the "
        "levels that the paper filters (Fig. 3); the others keep 0: no filter. 0.25 is the best of "
        "the paper's Table 2.",
        at_most=1,
        default=(0.25, 0.25, 0.0, 0.0),
    )
    rounding: str = switch(
        "How alpha x size becomes a number of rows. Equation 2 has a strict <, that is `ceil`, the "
        "published code does `floor`, and at sizes that 4 divides they agree.",
        choices=("floor", "ceil"),
        paper="ceil",
        released="floor",
        d2freq="ceil",
    )

    # --- HFP: channel path ----------------------------------------------------------------------
    pool_size: tuple[int, ...] = switch(
        "Cells per side of the average and the maximum pool; a map smaller than that is fine. Sec. "
        '3.1: "k is generally set to 16".',
        at_least=1,
        paper=(16, 16, 16, 16),
        released=(16, 8, 1, 1),
        d2freq=(16, 16, 16, 16),
    )
    pool_reduce: str = switch(
        "Over those cells, `sum` as in the paper. The sum of 256 maxima is large and drives the "
        "sigmoid to 0 or 1 from the first step on, for half of the channels of a ResNet-18 that "
        "starts from scratch; with `mean` for none.",
        choices=("sum", "mean"),
        paper="sum",
        released="sum",
        d2freq="mean",
    )
    fusion: str = switch(
        "How the scores of the two pools meet. `concat`: as the paper says, one after the other, "
        "so that a group of the next convolution sees one kind of pool. `interleave`: the same "
        "size, but channel by channel, so that a group sees both pools of its own channels. `sum`: "
        "half of the weights.",
        choices=("concat", "interleave", "sum"),
        paper="concat",
        released="sum",
        d2freq="concat",
    )
    groups: int = switch(
        "Groups of the channel path's 1x1 convolutions; has to divide MODEL.FPN.OUT_CHANNELS. 32 "
        "is the only number that fits Table 5.",
        at_least=1,
        default=32,
    )
    gate_bias: bool = switch("Bias in those convolutions.", paper=True, released=False, d2freq=True)
    gate_relu: bool = switch(
        "ReLU after every convolution of the two gates, which then lie in [0.5, 1). Figure 3 draws "
        "the sigmoid alone; the ReLU of its caption is that behind the pools, which both have.",
        paper=False,
        released=True,
        d2freq=False,
    )

    # --- HFP: spatial path ----------------------------------------------------------------------
    spatial_mode: tuple[str, ...] = switch(
        "`conv`: sigmoid of a 1x1 convolution to one channel. `raw`: the filtered map is the "
        "weight itself, without convolution or sigmoid.",
        choices=("conv", "raw"),
        paper=("conv", "conv", "conv", "conv"),
        released=("raw", "raw", "conv", "conv"),
        d2freq=("conv", "conv", "conv", "conv"),
    )

    # --- HFP: the 3x3 convolution at its end ----------------------------------------------------
    tail_bias: bool = switch(
        "Bias in HFP's 3x3 convolution.", paper=False, released=True, d2freq=False
    )
    tail_relu: bool = switch("ReLU after it.", paper=False, released=True, d2freq=False)
    tail_norm: str = switch(
        "Norm after the ReLU.", choices=NORMS, paper="", released="GN", d2freq=""
    )

    # --- SDP ------------------------------------------------------------------------------------
    sdp_norm: str = switch(
        "Norm after query's and key's 1x1 convolution.", choices=NORMS, default="GN"
    )
    sdp_relu: bool = switch("ReLU between that convolution and its norm.", default=True)
    separate_value: bool = switch(
        "A convolution of its own for the value; False takes the key as value, which is what Table "
        "5 counts.",
        default=False,
    )

    # --- top-down path --------------------------------------------------------------------------
    top_down: str = switch(
        "`two_pass`: SDP looks at the coarser level before the FPN addition, as the code does. "
        "`one_pass`: after it, at P_i+1, as Section 3 says and Figure 2 shows.",
        choices=("two_pass", "one_pass"),
        paper="one_pass",
        released="two_pass",
        d2freq="one_pass",
    )

    # --- start ----------------------------------------------------------------------------------
    init: str = switch(
        "How HFP and SDP start. `xavier`: at random, as published. `fpn`: so that the neck is the "
        "plain FPN at first, up to rounding; a trained FPN detector loses nothing when it becomes "
        "HS-FPN. It needs preset `paper`'s TAIL_RELU, TAIL_NORM, GATE_RELU, SPATIAL_MODE and an "
        "SDP_NORM.",
        choices=("xavier", "fpn"),
        paper="xavier",
        released="xavier",
        d2freq="fpn",
    )


PRESETS = Switches.presets()


def resolve_switches(
    preset: str, *, stages: Sequence[int], channels: int, **overrides: Any
) -> Switches:
    """A preset with single switches overridden, checked, per-level values cut to the levels.

    Args:
        preset: a name in ``PRESETS``.
        stages: the pyramid levels in use, from high to low resolution: 2 for P2 and so on.
        channels: of every level.
        **overrides: fields of :class:`Switches`; ``None`` leaves the preset's value. For a
            per-level switch one value, or a sequence with one value a level. One ``alpha`` alone
            holds at P2 and P3, and the other levels stay unfiltered.

    Returns:
        Switches whose per-level fields have one entry for each of ``stages``.

    Raises:
        UserError: an unknown preset, switch or value; it names the culprit and the choices.
    """
    base = Switches.preset(preset)
    levels = {
        name: _levels(name, overrides.get(name), getattr(base, name), stages)
        for name in Switches.per_level()
    }
    switches = Switches.resolve(preset, {**overrides, **levels})
    _check_channels(switches, channels)
    return switches


def _levels(name: str, chosen: Any, default: tuple, stages: Sequence[int]) -> tuple:
    """A value for each of the stages."""
    if chosen is None:
        return tuple(default[min(max(stage, 2), 5) - 2] for stage in stages)
    if isinstance(chosen, Sequence) and not isinstance(chosen, str):
        if len(chosen) != len(stages):
            levels = ", ".join(f"P{stage}" for stage in stages)
            raise UserError(
                f"{Switches.label(name)}: {len(chosen)} values {list(chosen)} for {len(stages)} "
                f"levels ({levels}); give one value, or one for each level from high to low "
                "resolution"
            )
        return tuple(chosen)
    if name == "alpha":
        return tuple(chosen if stage <= LAST_FILTERED_STAGE else 0.0 for stage in stages)
    return (chosen,) * len(stages)


def _check_channels(switches: Switches, channels: int) -> None:
    has_hfp = switches.channel_path or switches.spatial_path
    if switches.plain_conv and has_hfp:
        raise UserError(
            "HSFPN switch plain_conv stands in the place of HFP: set channel_path and spatial_path "
            "(MODEL.HSFPN.CHANNEL_PATH, MODEL.HSFPN.SPATIAL_PATH) to False with it"
        )
    if switches.channel_path and channels % switches.groups:
        raise UserError(
            f"HSFPN: groups {switches.groups} (MODEL.HSFPN.GROUPS) does not divide the "
            f"{channels} channels of the neck (MODEL.FPN.OUT_CHANNELS); change one of the two"
        )
    norms = {"tail_norm": has_hfp or switches.plain_conv, "sdp_norm": switches.spatial_dependency}
    for name, is_used in norms.items():
        if is_used and getattr(switches, name) == "GN" and channels % NORM_GROUPS:
            raise UserError(
                f"{Switches.label(name)}: GN has {NORM_GROUPS} groups, which do not divide the "
                f"{channels} channels of the neck (MODEL.FPN.OUT_CHANNELS); change the channels, "
                f"or choose one of {join_names([norm for norm in NORMS if norm != 'GN'])}"
            )
