"""WaveletFPN: a feature pyramid whose laterals pass a Haar wavelet with gated details.

A control beside HS-FPN, in the same place and with hardly more weights than FPN: does it take HFP's
DCT, pools and two paths, or does any learned emphasis on frequencies do? It is this project's own,
after the general idea; no published neck is meant. It starts as the plain FPN, bit for bit.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from detectron2.config import CfgNode, configurable
from detectron2.modeling.backbone import Backbone
from torch import nn

from d2freq.modeling.backbones.filtered_fpn import FilteredFPN
from d2freq.modeling.backbones.fpn import fpn_arguments
from d2freq.modeling.switches import takes_switches
from d2freq.modeling.wavelet_fpn.config import waveletfpn_keys
from d2freq.modeling.wavelet_fpn.detail_gate import DetailGate
from d2freq.modeling.wavelet_fpn.switches import Switches
from d2freq.utils.own_keys import own_keys

__all__ = ["WaveletFPN"]


class WaveletFPN(FilteredFPN):
    """FPN with a :class:`DetailGate` behind each lateral; takes an FPN's place.

    Args:
        bottom_up: the backbone that makes ``in_features``.
        in_features: names of its maps, from high to low resolution, each stride twice the one
            before.
        out_channels: of every level.
        norm, top_block, fuse_type, square_pad: as FPN's.
        lateral_init: "c2" or "xavier", as d2freq's FPN's.
        preset: "plain"; it sets all switches that are None.
        **switches: a keyword for each field of :class:`Switches`, which says what it does.

    Raises:
        UserError: an unknown preset or switch value; it names the culprit and the choices.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.backbones import MobileNetV2
        >>> from d2freq.modeling.wavelet_fpn import WaveletFPN
        >>> neck = WaveletFPN(
        ...     bottom_up=MobileNetV2(norm="BN"),
        ...     in_features=["res2", "res3", "res4", "res5"],
        ...     out_channels=32,
        ...     gate="channel",
        ... )
        >>> pyramid = neck(torch.randn(2, 3, 64, 96))
        >>> {name: tuple(level.shape[1:]) for name, level in pyramid.items()}
        {'p2': (32, 16, 24), 'p3': (32, 8, 12), 'p4': (32, 4, 6), 'p5': (32, 2, 3)}
    """

    @configurable
    @takes_switches(Switches)
    def __init__(
        self,
        bottom_up: Backbone,
        in_features: Sequence[str],
        out_channels: int,
        norm: str = "",
        top_block: nn.Module | None = None,
        fuse_type: str = "sum",
        square_pad: int = 0,
        *,
        lateral_init: str = "c2",
        preset: str = "plain",
        **switches: Any,
    ) -> None:
        chosen = Switches.resolve(preset, switches)
        super().__init__(
            bottom_up=bottom_up,
            in_features=in_features,
            out_channels=out_channels,
            norm=norm,
            top_block=top_block,
            fuse_type=fuse_type,
            square_pad=square_pad,
            lateral_init=lateral_init,
            name="wavelet",
            make_filter=partial(DetailGate, out_channels, gate=chosen.gate),
        )
        self.switches = chosen

    @classmethod
    def from_config(
        cls, cfg: CfgNode, bottom_up: Backbone, top_block: nn.Module | None = None
    ) -> dict[str, Any]:
        """Arguments from ``MODEL.FPN`` and ``MODEL.WAVELETFPN``."""
        return {
            **fpn_arguments(cfg, bottom_up, top_block),
            **Switches.read(own_keys(cfg, "MODEL.WAVELETFPN", waveletfpn_keys())),
        }
