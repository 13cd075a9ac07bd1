"""Rows of residual blocks that form the stages of a ResNet."""

from typing import Any

from ...layers import CNNBlockBase
from .resnet_blocks import BasicBlock, BottleneckBlock

__all__ = ["BLOCKS_PER_STAGE", "make_default_stages", "make_stage"]

# Blocks in res2 to res5, by depth.  ResNet paper, Table 1
BLOCKS_PER_STAGE: dict[int, tuple[int, int, int, int]] = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
_PER_BLOCK = "_per_block"


def make_stage(
    block_class: type[CNNBlockBase],
    num_blocks: int,
    *,
    in_channels: int,
    out_channels: int,
    **kwargs: Any,
) -> list[CNNBlockBase]:
    """Make the blocks of one stage.

    Args:
        block_class: class of every block.
        num_blocks: how many.
        in_channels: channels of the stage's input.
        out_channels: channels of every block's output.
        kwargs: arguments of ``block_class``; ``xx_per_block`` is a list with the argument
            ``xx`` of each block.

    Raises:
        ValueError: if such a list has not ``num_blocks`` items, or if ``xx`` is given too.
    """
    lists = {key: kwargs.pop(key) for key in list(kwargs) if key.endswith(_PER_BLOCK)}
    for key, values in lists.items():
        name = key.removesuffix(_PER_BLOCK)
        if len(values) != num_blocks:
            raise ValueError(f"{key} has {len(values)} items for {num_blocks} blocks")
        if name in kwargs:
            raise ValueError(f"make_stage takes {key} or {name}, not both")
    blocks = []
    for index in range(num_blocks):
        own = {key.removesuffix(_PER_BLOCK): values[index] for key, values in lists.items()}
        source = in_channels if index == 0 else out_channels
        blocks.append(block_class(source, out_channels, **kwargs, **own))
    return blocks


def make_default_stages(
    depth: int, block_class: type[CNNBlockBase] | None = None, **kwargs: Any
) -> list[list[CNNBlockBase]]:
    """Make the four stages of a ResNet of known depth.

    Args:
        depth: 18, 34, 50, 101 or 152.
        block_class: BasicBlock below 50 and BottleneckBlock from there on, if None.
        kwargs: further arguments of the blocks, but neither strides nor channels.

    Raises:
        KeyError: for another depth.
    """
    if depth not in BLOCKS_PER_STAGE:
        raise KeyError(f"no ResNet of depth {depth}; choose from {list(BLOCKS_PER_STAGE)}")
    narrow = depth < 50
    if block_class is None:
        block_class = BasicBlock if narrow else BottleneckBlock
    stages = []
    channels = 64
    for index, num_blocks in enumerate(BLOCKS_PER_STAGE[depth]):
        width = 64 * 2**index
        out_channels = width if narrow else 4 * width
        if not narrow:
            kwargs["bottleneck_channels"] = width
        stages.append(
            make_stage(
                block_class,
                num_blocks,
                in_channels=channels,
                out_channels=out_channels,
                stride_per_block=[1 if index == 0 else 2, *[1] * (num_blocks - 1)],
                **kwargs,
            )
        )
        channels = out_channels
    return stages
