"""A U-Net of residual blocks without bias, the denoiser of USRNet.

Shapes: N images, h x w cells, L levels.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ResUNet"]


class _Block(nn.Module):
    """``x + conv(relu(conv(x)))`` without bias; (N, C, h, w) -> the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(torch.relu(self.conv1(x)))


class _Even(nn.Module):
    """A row and a column of zeros at the end of odd sides."""

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x, (0, x.shape[-1] % 2, 0, x.shape[-2] % 2))


class ResUNet(nn.Module):
    """Down L - 1 times by strided 2 x 2 convolutions, and up again, sums across; 1,063,344 weights.

    That is with levels of 16, 32, 64, 128 channels and two blocks a level. An odd side is padded
    with a row of zeros at its end before it is halved, and cut again on the way up.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.unmixing.methods.res_unet import ResUNet
        >>> tuple(ResUNet(2, 1, (4, 8), blocks=1)(torch.zeros(3, 2, 33, 33)).shape)
        (3, 1, 33, 33)
    """

    def __init__(self, inputs: int, outputs: int, channels: Sequence[int], blocks: int) -> None:
        """Set up the levels.

        Args:
            inputs, outputs: channels.
            channels: of each level, the widest grid first.
            blocks: residual blocks a level, going down and coming up; the last level has them once.
        """
        super().__init__()
        self.head = nn.Conv2d(inputs, channels[0], 3, padding=1, bias=False)
        self.downs, self.enlarge, self.ups = (nn.ModuleList() for _ in range(3))
        for wide, deep in zip(channels, channels[1:], strict=False):
            down = nn.Conv2d(wide, deep, 2, stride=2, bias=False)
            self.downs.append(nn.Sequential(*_blocks(wide, blocks), _Even(), down))
            self.enlarge.insert(0, nn.ConvTranspose2d(deep, wide, 2, stride=2, bias=False))
            self.ups.insert(0, nn.Sequential(*_blocks(wide, blocks)))
        self.body = nn.Sequential(*_blocks(channels[-1], blocks))
        self.tail = nn.Conv2d(channels[0], outputs, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, outputs, h, w)."""
        levels = [self.head(x)]
        for down in self.downs:
            levels.append(down(levels[-1]))
        x = self.body(levels[-1])
        for enlarge, up in zip(self.enlarge, self.ups, strict=True):
            x = x + levels.pop()
            height, width = levels[-1].shape[-2:]
            x = up(enlarge(x)[..., :height, :width])
        return self.tail(x + levels.pop())


def _blocks(channels: int, count: int) -> list[nn.Module]:
    return [_Block(channels) for _ in range(count)]
