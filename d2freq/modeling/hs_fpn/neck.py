"""HSFPN, the feature pyramid with HFP and SDP in its lateral connections (HS-FPN, Fig. 2).

Shape shorthand: B images, C channels, P2 to P5 the levels of stride 4 to 32. The level of stride
2^i has HFP as ``fpn_hfp{i}`` and SDP as ``fpn_sdp{i}``, beside the ``fpn_lateral{i}`` and
``fpn_output{i}`` of the host's FPN, so that the weights of a plain FPN load.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from detectron2.config import CfgNode, configurable
from detectron2.modeling.backbone import Backbone
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from d2freq.errors import UserError
from d2freq.modeling.backbones.extents import Extents, extents_of, is_batch_norm_training
from d2freq.modeling.backbones.fpn import FPN, fpn_arguments
from d2freq.modeling.backbones.scripting import TracedBackbone
from d2freq.modeling.hs_fpn.config import hsfpn_keys
from d2freq.modeling.hs_fpn.high_frequency import build_hfp
from d2freq.modeling.hs_fpn.spatial_dependency import SpatialDependencyPerception
from d2freq.modeling.hs_fpn.start import check_start, start_as_fpn
from d2freq.modeling.hs_fpn.switches import Switches, resolve_switches
from d2freq.modeling.switches import takes_switches
from d2freq.utils.own_keys import own_keys

__all__ = [
    "HSFPN",
]


class HSFPN(FPN):
    """FPN whose laterals pass HFP and, below the top level, SDP; takes an FPN's place anywhere.

    Args:
        bottom_up: the backbone that makes ``in_features``.
        in_features: names of its maps, from high to low resolution, each stride twice the one
            before.
        out_channels: C of every level, a multiple of 32.
        norm: of the lateral and output convolutions, as FPN's.
        top_block: further levels on top, as FPN's.
        fuse_type: "sum" or "avg" in the top-down addition, as FPN's.
        square_pad: as FPN's.
        lateral_init: "c2" or "xavier", as d2freq's FPN's.
        preset: "paper", "released" or "d2freq"; it sets all switches that are None.
        use_act_checkpoint: in training keep of HFP and SDP their inputs alone, and compute the
            rest again in backward: less memory for more time, the same gradients.
        **switches: a keyword for each field of :class:`Switches`, which says what it does; per
            level one value, or one a level. None leaves the preset's.

    Raises:
        UserError: an unknown preset or switch value, or ``use_act_checkpoint`` with a batch norm
            in HFP or SDP; it names the culprit and the choices.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.backbones import MobileNetV2
        >>> from d2freq.modeling.hs_fpn import HSFPN
        >>> neck = HSFPN(
        ...     bottom_up=MobileNetV2(norm="BN"),
        ...     in_features=["res2", "res3", "res4", "res5"],
        ...     out_channels=32,
        ...     alpha=0.5,  # one switch of the preset "paper" set otherwise
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
        preset: str = "paper",
        use_act_checkpoint: bool = False,
        **switches: Any,
    ) -> None:
        super().__init__(
            bottom_up=bottom_up,
            in_features=in_features,
            out_channels=out_channels,
            norm=norm,
            top_block=top_block,
            fuse_type=fuse_type,
            square_pad=square_pad,
            lateral_init=lateral_init,
        )
        shapes = bottom_up.output_shape()
        self.strides = {name: int(shapes[name].stride) for name in in_features}
        stages = [stride.bit_length() - 1 for stride in self.strides.values()]
        self.average = fuse_type == "avg"
        self.switches = resolve_switches(preset, stages=stages, channels=out_channels, **switches)
        self.levels = dict(zip(stages, in_features, strict=True))
        check_start(self.switches)
        for place, stage in enumerate(stages):
            hfp = build_hfp(self.switches, place, out_channels)
            if hfp is not None:
                self.add_module(f"fpn_hfp{stage}", hfp)
            if self.switches.spatial_dependency and stage != stages[-1]:
                sdp = SpatialDependencyPerception(
                    out_channels,
                    norm=self.switches.sdp_norm,
                    relu=self.switches.sdp_relu,
                    separate_value=self.switches.separate_value,
                )
                self.add_module(f"fpn_sdp{stage}", sdp)
        if self.switches.init == "fpn":
            for name, module in self.named_children():
                if name.startswith(("fpn_hfp", "fpn_sdp")):
                    start_as_fpn(module)
        self.use_act_checkpoint = use_act_checkpoint
        norms = {self.switches.tail_norm, self.switches.sdp_norm} & {"BN", "SyncBN"}
        if use_act_checkpoint and norms:
            raise UserError(
                f"use_act_checkpoint runs HFP and SDP twice a step, and their {norms.pop()} would "
                "count each batch twice; take GN or no norm (TAIL_NORM, SDP_NORM), or switch "
                "USE_ACT_CHECKPOINT off"
            )

    @classmethod
    def from_config(
        cls, cfg: CfgNode, bottom_up: Backbone, top_block: nn.Module | None = None
    ) -> dict[str, Any]:
        """Arguments from ``MODEL.FPN`` and ``MODEL.HSFPN``."""
        keys = own_keys(cfg, "MODEL.HSFPN", hsfpn_keys())
        return {
            **fpn_arguments(cfg, bottom_up, top_block),
            "use_act_checkpoint": keys.USE_ACT_CHECKPOINT,
            **Switches.read(keys),
        }

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """The pyramid of an image batch.

        Args:
            x: (B, 3, H, W), H and W multiples of ``size_divisibility`` (of 32 with P5).

        Returns:
            "p2" to "p5" (B, C, H / stride, W / stride) and the levels of ``top_block``. Images of
            several sizes in a padded batch give what each gives alone, and zeros beyond it. While
            a batch norm in the backbone trains, which sees the whole batch anyway, that holds of
            HFP and SDP alone.
        """
        extents = extents_of(x)
        if extents is not None and not is_batch_norm_training(self):
            return extents.apply(self._pyramid, x)
        return self._pyramid(x, extents)

    def __prepare_scriptable__(self) -> nn.Module:
        return TracedBackbone(self)

    def _pyramid(self, x: Tensor, extents: Extents | None = None) -> dict[str, Tensor]:
        """The figure; with ``extents`` HFP and SDP look at each image for itself."""
        features = self.bottom_up(x)
        if not torch.jit.is_tracing():
            self._check_sizes(features)
        top, *below = reversed(self.levels)

        # Two maps go down: `fused`, the pyramid level itself, and `attended`, the same before
        # the top-down addition, where SDP of the level below looks in the two-pass order.
        fused = attended = self._lateral(top, features, extents)
        results = {f"p{top}": self._module("output", top)(fused)}
        for stage in below:
            level = self._lateral(stage, features, extents)
            if self.switches.spatial_dependency:
                above = fused if self.switches.top_down == "one_pass" else attended
                # Blocks as large as the top level's map (HS-FPN, Sec. 3.2): 2, 4, 8 per side.
                grid = 2 ** (top - stage)
                level = self._run(self._module("sdp", stage), level, above, grid, extents=extents)
            attended = level
            fused = level + F.interpolate(fused, scale_factor=2.0, mode="nearest")
            if self.average:
                fused = fused / 2
            results[f"p{stage}"] = self._module("output", stage)(fused)
        if self.top_block is not None:
            source = self.top_block.in_feature
            extra = self.top_block({**features, **results}[source])
            results.update({f"p{top + i}": value for i, value in enumerate(extra, 1)})
        return {name: results[name] for name in self.output_shape()}

    def _lateral(self, stage: int, features: dict[str, Tensor], extents: Extents | None) -> Tensor:
        lateral = self._module("lateral", stage)(features[self.levels[stage]])
        hfp = getattr(self, f"fpn_hfp{stage}", None)
        return lateral if hfp is None else self._run(hfp, lateral, extents=extents)

    def _run(self, module: nn.Module, *inputs: Any, extents: Extents | None) -> Tensor:
        maps = [given for given in inputs if isinstance(given, Tensor)]
        numbers = inputs[len(maps) :]

        def run(*parts: Tensor) -> Tensor:
            if self.use_act_checkpoint and self.training and torch.is_grad_enabled():
                return checkpoint(module, *parts, *numbers, use_reentrant=False)
            return module(*parts, *numbers)

        if extents is None or is_batch_norm_training(module):
            return run(*maps)
        return extents.apply(run, *maps)

    def _module(self, kind: str, stage: int) -> nn.Module:
        return getattr(self, f"fpn_{kind}{stage}")

    def _check_sizes(self, features: dict[str, Tensor]) -> None:
        """Each map has to be exactly twice as large as the next one."""
        names = list(self.strides)
        top = names[-1]
        for name in names[:-1]:
            factor = self.strides[top] // self.strides[name]
            size, smallest = features[name].shape[-2:], features[top].shape[-2:]
            if any(a != factor * b for a, b in zip(size, smallest, strict=True)):
                raise UserError(
                    f"HSFPN cannot take {name} of {size[0]} x {size[1]} above {top} of "
                    f"{smallest[0]} x {smallest[1]}: {name} has to be {factor} times as large. "
                    f"Pad images to a multiple of {self.size_divisibility} (size_divisibility) "
                    "in height and width, as ImageList.from_tensors does"
                )
