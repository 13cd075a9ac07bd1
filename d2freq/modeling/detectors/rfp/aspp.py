"""Atrous spatial pyramid pooling, through which a pyramid level returns to the ResNet.

Shape shorthand: B images, C channels in, H x W the level.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from d2freq.errors import UserError

__all__ = ["ASPP"]


class ASPP(nn.Module):
    """Branches of several reaches side by side, joined by their channels (DetectoRS, Sec. 3.4).

    Args:
        in_channels: C.
        channels: of each branch.
        dilations: one a branch. 1 is a 1 x 1 convolution, any other a 3 x 3 one; the last, 1, sees
            the mean of the map.

    Raises:
        UserError: no channels, fewer than two branches, or a last one of another dilation than 1.
    """

    def __init__(
        self, in_channels: int, channels: int = 64, dilations: Sequence[int] = (1, 3, 6, 1)
    ) -> None:
        super().__init__()
        if len(dilations) < 2 or min(dilations) < 1 or dilations[-1] != 1:
            raise UserError(
                f"MODEL.DETECTORS.ASPP_DILATIONS {list(dilations)}: two or more numbers from 1 on, "
                "the last of them 1, of the branch that sees the mean of the map"
            )
        if channels < 1:
            raise UserError(f"MODEL.DETECTORS.ASPP_CHANNELS {channels}: a branch has 1 or more")
        self.out_channels = channels * len(dilations)
        self.branches = nn.ModuleList(
            nn.Conv2d(in_channels, channels, 1)
            if dilation == 1
            else nn.Conv2d(in_channels, channels, 3, padding=dilation, dilation=dilation)
            for dilation in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, channels x branches, H, W), none below 0."""
        *local, whole = self.branches
        mean = whole(x.mean(dim=(2, 3), keepdim=True)).expand(-1, -1, *x.shape[-2:])
        return torch.cat([*(branch(x) for branch in local), mean], dim=1).relu()
