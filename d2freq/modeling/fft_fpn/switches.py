"""The switches of FFTFPN."""

from dataclasses import dataclass

from d2freq.modeling.switches import SwitchSet, switch

__all__ = ["Switches"]


@dataclass(frozen=True)
class Switches(SwitchSet):
    """Every choice within FFTFPN."""

    system, section = "FFTFPN", "MODEL.FFTFPN"

    bands: int = switch(
        "Soft bands of radius, from the mean (the first) to the finest detail (the last).",
        at_least=2,
        plain=8,
    )
    per_channel: bool = switch(
        "Weights of its own for each channel; False: all channels of a level share them.",
        plain=True,
    )
