"""The switches of HS-FPN, the two presets that set them all, and the check of every value.

A "per level" value of a preset is a tuple for P2, P3, P4, P5 (levels of stride 4, 8, 16, 32); a
finer level takes P2's value and a coarser one P5's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from d2freq.errors import UserError
from d2freq.modeling.hs_fpn.layers import NORM_GROUPS

__all__ = ["PRESETS", "Switches", "resolve_switches"]

NORMS = ("", "GN", "BN", "SyncBN")
CHOICES = {
    "rounding": ("floor", "ceil"),
    "pool_reduce": ("sum", "mean"),
    "fusion": ("concat", "interleave", "sum"),
    "spatial_mode": ("conv", "raw"),
    "tail_norm": NORMS,
    "sdp_norm": NORMS,
    "top_down": ("two_pass", "one_pass"),
}
PER_LEVEL = ("alpha", "pool_size", "spatial_mode")
LAST_FILTERED_STAGE = 3  # HS-FPN, Fig. 3: the high-pass filter works at P2 and P3 only


@dataclass(frozen=True)
class Switches:
    """Every choice within HS-FPN; ``d2freq/config.py`` explains each. Defaults: preset `paper`."""

    channel_path: bool = True
    spatial_path: bool = True
    spatial_dependency: bool = True
    plain_conv: bool = False
    alpha: tuple[float, ...] = (0.25, 0.25, 0.0, 0.0)  # HS-FPN, Table 2 and Fig. 3
    rounding: str = "floor"
    pool_size: tuple[int, ...] = (16, 16, 16, 16)  # HS-FPN, Sec. 3.1: "k is generally set to 16"
    pool_reduce: str = "sum"
    fusion: str = "concat"
    groups: int = 32  # the only number of groups that fits HS-FPN, Table 5
    gate_bias: bool = True
    gate_relu: bool = False
    spatial_mode: tuple[str, ...] = ("conv", "conv", "conv", "conv")
    tail_bias: bool = False
    tail_relu: bool = False
    tail_norm: str = ""
    sdp_norm: str = "GN"
    sdp_relu: bool = True
    separate_value: bool = False
    top_down: str = "two_pass"


PRESETS = {
    "paper": Switches(),
    "released": Switches(
        pool_size=(16, 8, 1, 1),
        fusion="sum",
        gate_bias=False,
        gate_relu=True,
        spatial_mode=("raw", "raw", "conv", "conv"),
        tail_bias=True,
        tail_relu=True,
        tail_norm="GN",
    ),
}


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
    if preset not in PRESETS:
        raise UserError(
            f"HSFPN preset {preset!r} (MODEL.HSFPN.PRESET) is unknown; "
            f"choose one of {_names(PRESETS)}"
        )
    base = PRESETS[preset]
    known = [field.name for field in fields(Switches)]
    for name in overrides:
        if name not in known:
            raise UserError(f"HSFPN has no switch {name!r}; there are {_names(known)}")

    values: dict[str, Any] = {}
    for name in known:
        chosen = overrides.get(name)
        if name in PER_LEVEL:
            values[name] = _per_level(name, chosen, getattr(base, name), stages)
        else:
            values[name] = getattr(base, name) if chosen is None else chosen
            _check(name, values[name], getattr(base, name))
    switches = replace(base, **values)
    _check_channels(switches, channels)
    return switches


def _per_level(name: str, chosen: Any, default: tuple, stages: Sequence[int]) -> tuple:
    if chosen is None:
        values = [default[min(max(stage, 2), 5) - 2] for stage in stages]
    elif isinstance(chosen, Sequence) and not isinstance(chosen, str):
        values = list(chosen)
        if len(values) != len(stages):
            levels = ", ".join(f"P{stage}" for stage in stages)
            raise UserError(
                f"HSFPN switch {name}: {len(values)} values {values} for {len(stages)} levels "
                f"({levels}); give one value, or one for each level from high to low resolution"
            )
    elif name == "alpha":
        values = [chosen if stage <= LAST_FILTERED_STAGE else 0.0 for stage in stages]
    else:
        values = [chosen] * len(stages)
    for value in values:
        _check(name, value, default[0])
    return tuple(values)


def _check(name: str, value: Any, example: Any) -> None:
    """Raise unless ``value`` is a legal single value of the switch."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if name in CHOICES:
        legal, choices = value in CHOICES[name], _names(CHOICES[name])
    elif isinstance(example, bool):
        legal, choices = isinstance(value, bool), "True, False"
    elif name == "alpha":
        is_number = is_whole or isinstance(value, float)
        legal, choices = is_number and 0 <= value <= 1, "a number in [0, 1]"
    else:
        legal, choices = is_whole and value >= 1, "a whole number of at least 1"
    if not legal:
        raise UserError(f"HSFPN switch {name}: got {value!r}; choose from: {choices}")


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
                f"HSFPN switch {name}: GN has {NORM_GROUPS} groups, which do not divide the "
                f"{channels} channels of the neck (MODEL.FPN.OUT_CHANNELS); change the channels, "
                f"or choose one of {_names(norm for norm in NORMS if norm != 'GN')}"
            )


def _names(names: Any) -> str:
    return ", ".join(repr(name) if name == "" else name for name in names)
