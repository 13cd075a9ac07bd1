"""FPN whose lateral maps pass a filter each, the ground of the control necks beside HS-FPN.

Shape shorthand: B images, C channels of every level, H x W of a level.
"""

from collections.abc import Callable, Sequence
from typing import Any

from detectron2.modeling.backbone import Backbone
from torch import Tensor, nn

from d2freq.modeling.backbones.extents import Extents, extents_of, is_batch_norm_training
from d2freq.modeling.backbones.fpn import FPN
from d2freq.modeling.backbones.scripting import TracedBackbone

__all__ = ["FilteredFPN"]


class FilteredFPN(FPN):
    """FPN with a filter behind each lateral convolution.

    The filter of the level of stride 2^i is a module ``fpn_{name}{i}`` beside the host's
    ``fpn_lateral{i}`` and ``fpn_output{i}``, so that the weights of a plain FPN load. A filter may
    depend on the whole map: images of several sizes in a padded batch give what each gives alone.

    Args:
        name: of the filters.
        make_filter: makes a level's, (B, C, H, W) -> (B, C, H, W).
        (others): as FPN's.
    """

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
        name: str,
        make_filter: Callable[[], nn.Module],
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
        stages = [int(shapes[each].stride).bit_length() - 1 for each in in_features]
        # the host's forward calls this list, which holds the modules and registers none
        laterals = zip(self.lateral_convs, reversed(stages), strict=True)
        self.lateral_convs: list[Any] = []
        for convolution, stage in laterals:
            own = make_filter()
            self.add_module(f"fpn_{name}{stage}", own)
            self.lateral_convs.append(_FilteredLateral(convolution, own))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """The pyramid of an image batch, as FPN's.

        While a batch norm in it trains, which sees the whole batch anyway, the filters alone see
        each image for itself.
        """
        extents = extents_of(x)
        if extents is None:
            return super().forward(x)
        if not is_batch_norm_training(self):
            return extents.apply(super().forward, x)
        try:
            self._tell(extents)
            return super().forward(x)
        finally:
            self._tell(None)

    def __prepare_scriptable__(self) -> nn.Module:
        return TracedBackbone(self)

    def _tell(self, extents: Extents | None) -> None:
        for lateral in self.lateral_convs:
            lateral.extents = extents


class _FilteredLateral:
    """A lateral convolution and the filter behind it, as one function."""

    def __init__(self, convolution: nn.Module, own: nn.Module) -> None:
        self.convolution = convolution
        self.own = own
        self.extents: Extents | None = None

    def __call__(self, x: Tensor) -> Tensor:
        lateral = self.convolution(x)
        if self.extents is None:
            return self.own(lateral)
        return self.extents.apply(self.own, lateral)
