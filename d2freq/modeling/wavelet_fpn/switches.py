"""The switches of WaveletFPN."""

from dataclasses import dataclass

from d2freq.modeling.switches import SwitchSet, switch

__all__ = ["Switches"]


@dataclass(frozen=True)
class Switches(SwitchSet):
    """Every choice within WaveletFPN."""

    system, section = "WaveletFPN", "MODEL.WAVELETFPN"

    gate: str = switch(
        "What the details are weighted by. `cell`: a weight for each band and 2 x 2 cell, the tanh "
        "of a 1x1 convolution of all details there. `channel`: a learned weight for each band and "
        "channel, the same everywhere.",
        choices=("cell", "channel"),
        plain="cell",
    )
