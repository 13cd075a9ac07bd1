"""HBS, hierarchical background smoothing (SET, Sec. 3.1).

Shape shorthand: B images, C channels, h x w of a level, S its stride, K x K its kernel, r the
channel reduction, x the level's feature P_i (B, C, h, w), M its mask (B, 1, h, w).
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.modeling.set.masks import RULES, foreground_mask
from d2freq.utils.choices import choice

__all__ = ["BackgroundSmoothing", "SmoothingBlock", "kernel_size"]

REGIONS = ("background", "all")


def kernel_size(stride: int) -> int:
    """Side of a level's kernels, 2 floor(log2(S) / 2) + 1 (SET, Eq. 4): 3, 3, 5, 5, 7, 7 for
    strides 4 to 128. Raises ValueError for a stride below 1.

    Examples:
        >>> from d2freq.modeling.set import kernel_size
        >>> [kernel_size(stride) for stride in (4, 8, 16, 32, 64, 128)]
        [3, 3, 5, 5, 7, 7]
    """
    if stride < 1:
        raise ValueError(f"a level of stride {stride} does not exist")
    return (int(stride).bit_length() - 1) // 2 * 2 + 1


class SmoothingBlock(nn.Module):
    """phi_i of SET, Eq. 3: fewer channels, then all of them again, added to what came in.

    What few channels cannot carry, fine detail, is not made again. The convolutions start as
    torch starts them, as published.

    Args:
        channels: C; ``reduction`` has to divide it.
        kernel: K, odd.
        reduction: r.
        output_relu: Eq. 3's second ReLU, after the second convolution, which the published code
            lacks: with it a block can only add.

    Raises:
        UserError: a kernel that is not odd, or a reduction that does not divide the channels.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.set import SmoothingBlock
        >>> tuple(SmoothingBlock(16, kernel=3)(torch.randn(2, 16, 8, 8)).shape)
        (2, 16, 8, 8)
    """

    def __init__(
        self, channels: int, *, kernel: int, reduction: int = 4, output_relu: bool = False
    ) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise UserError(
                f"SET: a kernel of {kernel} (MODEL.SET.KERNEL) has no centre; take an odd number"
            )
        if reduction < 1 or channels % reduction:
            raise UserError(
                f"SET: reduction {reduction} (MODEL.SET.REDUCTION) does not divide the {channels} "
                f"channels of the neck (MODEL.FPN.OUT_CHANNELS); change one of the two"
            )
        self.output_relu = output_relu
        self.reduce = nn.Conv2d(channels, channels // reduction, kernel, padding=kernel // 2)
        self.expand = nn.Conv2d(channels // reduction, channels, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, h, w)."""
        change = self.expand(self.reduce(x).relu())
        return x + (change.relu() if self.output_relu else change)

    def extra_repr(self) -> str:
        return f"output_relu={self.output_relu}"


class BackgroundSmoothing(nn.ModuleDict):
    """HBS: a block a level smooths the background and leaves the objects (SET, Eq. 2).

    A level's block stands under the level's name.

    Args:
        channels: C of each level by its name, from high to low resolution.
        strides: S of each level by its name.
        reduction: r of every block.
        kernel: "stride" or None for Eq. 4, one number for every level, or one number a level in
            the order of ``channels``.
        mask: "nearest" or "any", see :func:`foreground_mask`.
        output_relu: see :class:`SmoothingBlock`.
        remask: the block's output counts in the background alone, as published, so that objects
            keep their features bit by bit. False: as Eq. 2 is written, the convolutions also
            write into objects from their surroundings.
        region: "background", or "all" for phi on the whole feature, the control of SET, Table 5;
            ``mask`` and ``remask`` then mean nothing.

    Raises:
        UserError: a value that does not exist, or that does not fit the levels.
        ValueError: ``channels`` and ``strides`` name different levels.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.set import BackgroundSmoothing
        >>> smoothing = BackgroundSmoothing(channels={"p3": 16}, strides={"p3": 8})
        >>> features = {"p3": torch.randn(1, 16, 8, 8)}
        >>> boxes = [torch.tensor([[0.0, 0, 16, 16]])]  # 2 x 2 cells at the top left
        >>> enhanced = smoothing(features, boxes, (64, 64))["p3"]
        >>> changed = (enhanced != features["p3"]).any(dim=1)[0]
        >>> bool(changed[:2, :2].any()), bool(changed[2:, 2:].all())
        (False, True)
    """

    def __init__(
        self,
        *,
        channels: Mapping[str, int],
        strides: Mapping[str, int],
        reduction: int = 4,
        kernel: str | int | Sequence[int] | None = "stride",
        mask: str = "nearest",
        output_relu: bool = False,
        remask: bool = True,
        region: str = "background",
    ) -> None:
        if set(channels) != set(strides):
            raise ValueError(f"channels of {_names(channels)}, but strides of {_names(strides)}")
        choice(mask, RULES, key="SET: mask rule (MODEL.SET.MASK)")
        choice(region, REGIONS, key="SET: region (MODEL.SET.REGION)")
        kernels = _kernels(kernel, {name: strides[name] for name in channels})
        super().__init__(
            {
                name: SmoothingBlock(
                    width, kernel=kernels[name], reduction=reduction, output_relu=output_relu
                )
                for name, width in channels.items()
            }
        )
        self.mask = mask
        self.remask = remask
        self.region = region

    def forward(
        self, features: Mapping[str, Tensor], boxes: Sequence[Tensor], padded: tuple[int, int]
    ) -> dict[str, Tensor]:
        """The enhanced features P^E.

        Args:
            features: (B, C, h, w) by level. Levels without a block come back as they are.
            boxes: B tensors (N_b, 4) of x1, y1, x2, y2 in pixels of the padded image, any device.
            padded: height and width of the padded image.

        Returns:
            As ``features``: the same names in the same order, shapes and dtypes.

        Raises:
            ValueError: a level with a block is missing, or there are not as many boxes' tensors
                as images.
        """
        if missing := [name for name in self if name not in features]:
            raise ValueError(f"features lack {_names(missing)}; there are {_names(features)}")
        smooth = self._smooth_all if self.region == "all" else self._smooth_background
        return {
            name: smooth(self[name], x, boxes, padded) if name in self else x
            for name, x in features.items()
        }

    def _smooth_all(
        self, block: nn.Module, x: Tensor, boxes: Sequence[Tensor], padded: tuple[int, int]
    ) -> Tensor:
        return block(x)

    def _smooth_background(
        self, block: nn.Module, x: Tensor, boxes: Sequence[Tensor], padded: tuple[int, int]
    ) -> Tensor:
        if len(boxes) != len(x):
            raise ValueError(f"{len(boxes)} tensors of boxes for {len(x)} images")
        boxes = [each.to(x.device) for each in boxes]
        foreground = foreground_mask(boxes, padded, (x.shape[2], x.shape[3]), rule=self.mask)
        # Selected, not multiplied: backward keeps bools, and an infinite number stays where it is.
        smoothed = block(x.masked_fill(foreground, 0))
        if self.remask:
            return torch.where(foreground, x, smoothed)
        return smoothed + x.masked_fill(~foreground, 0)

    def extra_repr(self) -> str:
        return f"mask={self.mask!r}, remask={self.remask}, region={self.region!r}"


def _kernels(
    kernel: str | int | Sequence[int] | None, strides: Mapping[str, int]
) -> dict[str, int]:
    """The side of each level's kernels by the level's name."""
    if kernel is None or kernel == "stride":
        return {name: kernel_size(stride) for name, stride in strides.items()}
    if _is_whole(kernel):
        return dict.fromkeys(strides, kernel)
    sides = kernel if isinstance(kernel, Sequence) else ()
    if len(sides) != len(strides) or not all(map(_is_whole, sides)):
        raise UserError(
            f"SET: kernel {kernel!r} (MODEL.SET.KERNEL) is not 'stride', one odd number, or one "
            f"for each of the {len(strides)} levels {_names(strides)}"
        )
    return dict(zip(strides, map(int, sides), strict=True))


def _is_whole(number: Any) -> TypeGuard[int]:
    return isinstance(number, int) and not isinstance(number, bool)


def _names(names: Sequence[str] | Mapping) -> str:
    return ", ".join(names) or "no level"
