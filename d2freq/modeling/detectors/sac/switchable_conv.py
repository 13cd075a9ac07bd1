"""SAC: a 3 x 3 convolution with two reaches and a switch between them (DetectoRS, Fig. 4).

Shape shorthand: B images, C channels, H x W the map that comes in, s the stride.
"""

import torch
import torch.nn.functional as F
from detectron2.layers import Conv2d
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.modeling.detectors.sac.weight_standardization import StandardizedConv2d, keep_statistics
from d2freq.ops.dct import autocast_off
from d2freq.ops.deformable import deformable_convolution

__all__ = ["SwitchableConv2d", "make_switchable"]

WIDER = 3  # dilation of the second reach, in that of the first
AROUND = 2  # cells that the switch and the offsets look at beyond their own: 5 x 5
OFFSETS = 18  # (row, column) of 3 x 3 taps


class SwitchableConv2d(StandardizedConv2d):
    """S x (x * w) + (1 - S) x (x * (w + dw)), where the second has three times the dilation.

    The switch S, one map for all channels, is a 1 x 1 convolution of the 5 x 5 average of x,
    without a sigmoid. Both convolutions are deformable (version 1), each with offsets of its own,
    from the same average; ``deform`` False leaves them plain. Before and behind, a 1 x 1
    convolution of the map's mean is added to every cell. w is standardised, dw is not.

    All that the plain convolution lacks starts at zero, and S at 1: it begins as the convolution
    that it is made from, by :func:`make_switchable`.
    """

    pre_context: nn.Conv2d
    switch: nn.Conv2d
    weight_diff: nn.Parameter
    offset_s: nn.Conv2d | None
    offset_l: nn.Conv2d | None
    post_context: nn.Conv2d

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, D, H / s, W / s), norm and activation included.

        Raises:
            UserError: a side of the map has fewer than three cells.
        """
        if not torch.jit.is_tracing() and min(x.shape[-2:]) <= AROUND:
            raise UserError(
                f"SAC cannot take a map of {x.shape[-2]} x {x.shape[-1]} cells: its 5 x 5 average "
                f"mirrors {AROUND} of them at the border, so it needs {AROUND + 1}. Give larger "
                "pictures, of more than 64 pixels a side for a backbone of stride 32 "
                "(INPUT.MIN_SIZE_TRAIN, INPUT.MIN_SIZE_TEST, INPUT.CROP.SIZE)"
            )
        x = x + self.pre_context(_mean(x))
        around = F.avg_pool2d(F.pad(x, [AROUND] * 4, mode="reflect"), 2 * AROUND + 1, stride=1)
        switch = self.switch(around)
        weight = self.effective_weight()
        near = self._convolve(x, weight, self.offset_s, around, reach=1)
        far = self._convolve(x, weight + self.weight_diff, self.offset_l, around, reach=WIDER)
        y = switch * near + (1 - switch) * far
        return self.finish(y + self.post_context(_mean(y)))

    def _convolve(
        self, x: Tensor, weight: Tensor, offset: nn.Module | None, around: Tensor, *, reach: int
    ) -> Tensor:
        stride, dilation = self.stride[0], self.dilation[0] * reach
        if offset is None:
            # three taps, so that a padding of the dilation keeps the size
            return F.conv2d(x, weight, None, stride, dilation, dilation, self.groups)
        moved = offset(around)
        # 8 or 11 bits are too few for a place on the grid
        with autocast_off(x):
            exact = torch.promote_types(x.dtype, torch.float32)
            return deformable_convolution(
                x.to(exact),
                moved.to(exact),
                weight.to(exact),
                stride=stride,
                dilation=dilation,
            )


def make_switchable(
    convolution: nn.Module, *, deform: bool = True, standardized: bool = True
) -> SwitchableConv2d:
    """Make a 3 x 3 convolution a SwitchableConv2d, in place; its parameters and norm stay.

    Raises:
        UserError: it is another kind of layer.
    """
    fits = isinstance(convolution, Conv2d) and convolution.kernel_size == (3, 3)
    if not fits or convolution.bias is not None:
        raise UserError(
            "SAC takes the place of a plain 3 x 3 convolution without bias, and not of "
            f"{convolution}: MODEL.RESNETS.DEFORM_ON_PER_STAGE and "
            "MODEL.DETECTORS.SAC_ON_PER_STAGE exclude each other"
        )
    if deform and convolution.groups > 1:
        raise UserError(
            f"SAC by deformable convolutions takes no convolution in {convolution.groups} groups "
            "(MODEL.RESNETS.NUM_GROUPS): set MODEL.DETECTORS.DEFORM False"
        )
    convolution.__class__ = SwitchableConv2d  # as in standardize
    if standardized:
        keep_statistics(convolution)
    else:
        convolution.weight_gamma = convolution.weight_beta = None
    given, made = convolution.in_channels, convolution.out_channels
    stride = convolution.stride
    convolution.weight_diff = nn.Parameter(torch.zeros_like(convolution.weight))
    convolution.pre_context = _zero(nn.Conv2d(given, given, 1))
    convolution.switch = _zero(nn.Conv2d(given, 1, 1, stride=stride))
    nn.init.ones_(convolution.switch.bias)
    for name in ("offset_s", "offset_l"):
        offset = _zero(nn.Conv2d(given, OFFSETS, 3, stride=stride, padding=1)) if deform else None
        setattr(convolution, name, offset)
    convolution.post_context = _zero(nn.Conv2d(made, made, 1))
    return convolution


def _mean(x: Tensor) -> Tensor:
    return x.mean(dim=(2, 3), keepdim=True)


def _zero(layer: nn.Conv2d) -> nn.Conv2d:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
