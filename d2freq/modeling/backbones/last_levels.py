"""The levels above a pyramid of three or four maps, so that a one-stage detector has five.

Shape shorthand: B images, C channels of the pyramid, H x W of a map.
"""

from collections.abc import Sequence

from detectron2.config import CfgNode
from detectron2.modeling.backbone.fpn import LastLevelP6P7
from torch import Tensor, nn

from d2freq.errors import UserError

__all__ = ["LastLevelP6", "LinearLastLevelP6P7", "levels_above"]


class LastLevelP6(nn.Module):
    """One level more, P6, by a 3x3 convolution of stride 2 on a map of the backbone.

    With P2 to P5 below it this is the P2 to P6 of HS-FPN's RetinaNet (Table 3).

    Examples:
        >>> import torch
        >>> from d2freq.modeling.backbones import LastLevelP6
        >>> [tuple(level.shape) for level in LastLevelP6(8, 4)(torch.randn(1, 8, 5, 6))]
        [(1, 4, 3, 3)]
    """

    def __init__(self, in_channels: int, out_channels: int, in_feature: str = "res5") -> None:
        super().__init__()
        self.num_levels = 1
        self.in_feature = in_feature
        self.p6 = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1)
        nn.init.xavier_uniform_(self.p6.weight)
        assert self.p6.bias is not None
        nn.init.zeros_(self.p6.bias)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, C_in, H, W) -> [(B, C, ceil(H/2), ceil(W/2))]."""
        return [self.p6(x)]


class LinearLastLevelP6P7(LastLevelP6P7):
    """P6 and P7 without the ReLU between them, as in mmdet's RetinaNet."""

    def forward(self, c5: Tensor) -> list[Tensor]:
        """(B, C_in, H, W) -> [(B, C, ceil(H/2), ceil(W/2)), (B, C, ceil(H/4), ceil(W/4))]."""
        p6 = self.p6(c5)
        return [p6, self.p7(p6)]


def levels_above(
    cfg: CfgNode,
    sources: Sequence[str],
    *,
    in_channels: int,
    in_feature: str,
    relu: bool = True,
) -> nn.Module:
    """P6 and P7 over res3 to res5, P6 alone over res2 to res5.

    Args:
        sources: MODEL.FPN.IN_FEATURES.
        in_channels, in_feature: of the map that P6 is made of.
        relu: between P6 and P7.

    Raises:
        UserError: another number of ``sources``.
    """
    blocks = {3: LastLevelP6P7 if relu else LinearLastLevelP6P7, 4: LastLevelP6}
    if len(sources) not in blocks:
        raise UserError(
            f"{cfg.MODEL.BACKBONE.NAME} makes five levels of three or four maps; "
            f"MODEL.FPN.IN_FEATURES has {len(sources)}: {list(sources)}"
        )
    return blocks[len(sources)](in_channels, cfg.MODEL.FPN.OUT_CHANNELS, in_feature=in_feature)
