"""The switches of DeRefNet, the two presets that set them all, and the check of every value."""

from dataclasses import dataclass, fields, replace
from typing import Any

from d2freq.errors import UserError
from d2freq.modeling.derefnet.alignment import GUIDES
from d2freq.modeling.derefnet.losses import ALIGN_REDUCTIONS, REGRESSION_REDUCTIONS
from d2freq.modeling.derefnet.time_encoding import TIME_ENCODINGS

__all__ = ["PRESETS", "Switches", "resolve_switches"]

CHOICES: dict[str, tuple[str, ...]] = {
    "time_encoding": (*TIME_ENCODINGS, "none"),
    "guide": tuple(GUIDES),
    "centre": ("encoded", "features"),
    "align_reference": ("features", "encoded"),
    "constraint_on": ("estimate", "truth"),
    "regression_reduction": REGRESSION_REDUCTIONS,
    "align_reduction": ALIGN_REDUCTIONS,
}


@dataclass(frozen=True)
class Switches:
    """Every choice within DeRefNet; modeling/derefnet/config.py explains each.

    Defaults: preset `released`.
    """

    stages: int = 9
    time_encoding: str = "linear"
    guide: str = "attention"
    alignments: int = 2
    centre: str = "encoded"
    constraint_on: str = "estimate"
    align_reference: str = "features"
    regression_reduction: str = "windows"
    align_reduction: str = "sum"
    regression_weight: float = 1.0
    constraint_weight: float = 0.1
    align_weight: float = 0.1


PRESETS = {
    "released": Switches(),
    "paper": Switches(
        alignments=1,  # Eqs. 19 to 21
        centre="features",  # section 4.4: H_t^(k) joins the aligned neighbours
        constraint_on="truth",  # Eq. 22
        align_reference="encoded",  # Eq. 23
        regression_reduction="cells",  # Eq. 24
        align_reduction="mean",  # Eq. 23
        constraint_weight=0.01,  # Eq. 25 and Table 1, group A
        align_weight=0.01,
    ),
}


def resolve_switches(preset: str, **overrides: Any) -> Switches:
    """A preset with single switches overridden, checked.

    Args:
        preset: a name in ``PRESETS``.
        **overrides: fields of :class:`Switches`; ``None`` leaves the preset's value.

    Raises:
        UserError: an unknown preset, switch or value; it names the culprit and the choices.
    """
    if preset not in PRESETS:
        raise UserError(
            f"DeRefNet preset {preset!r} (MODEL.DEREFNET.PRESET) is unknown; choose one of "
            f"{', '.join(PRESETS)}"
        )
    known = [field.name for field in fields(Switches)]
    for name in overrides:
        if name not in known:
            raise UserError(f"DeRefNet has no switch {name!r}; there are {', '.join(known)}")
    chosen = {name: value for name, value in overrides.items() if value is not None}
    for name, value in chosen.items():
        _check(name, value)
    return replace(PRESETS[preset], **chosen)


def _check(name: str, value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if name in CHOICES:
        legal, choices = value in CHOICES[name], ", ".join(CHOICES[name])
    elif name.endswith("_weight"):
        legal, choices = number and value >= 0, "a number of at least 0"
    elif name == "alignments":
        legal, choices = number and value in (1, 2), "1, 2"
    else:
        legal, choices = isinstance(value, int) and number and value >= 1, "a whole number from 1"
    if not legal:
        raise UserError(
            f"DeRefNet switch {name} (MODEL.DEREFNET.{name.upper()}): got {value!r}; choose from: "
            f"{choices}"
        )
