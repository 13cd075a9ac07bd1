"""The stages of a ResNet that takes other channels than those of an RGB stem.

Shape shorthand: B images, C channels, h x w a map.
"""

from detectron2.layers import CNNBlockBase, FrozenBatchNorm2d
from detectron2.modeling.backbone.resnet import BasicBlock, BottleneckBlock, ResNet
from torch import Tensor, nn

from d2freq.errors import UserError

__all__ = ["BLOCKS_PER_STAGE", "NEW_LAYERS", "make_stages"]

# Blocks in res2 to res5, by depth. ResNet paper, Table 1
BLOCKS_PER_STAGE = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
NEW_LAYERS = ("conv1", "shortcut")  # of the first block: they see the new channels


class EntryBlock(CNNBlockBase):
    """A parent for the first block: frozen, it goes on training the layers that are new.

    Attributes:
        input_dims: the dimension of each tensor along which input channels lie, for RGB weights.
    """

    input_dims = {f"{layer}.weight": 1 for layer in NEW_LAYERS}

    def freeze(self) -> "EntryBlock":
        """Fix all but ``conv1`` and ``shortcut``; see CNNBlockBase.freeze."""
        for name, layer in self.named_children():
            if name not in NEW_LAYERS:
                layer.requires_grad_(False)
                FrozenBatchNorm2d.convert_frozen_batchnorm(layer)
        return self


class EntryBasicBlock(EntryBlock, BasicBlock):
    """The first block of a ResNet-18 or ResNet-34."""


class EntryBottleneckBlock(EntryBlock, BottleneckBlock):
    """The first block of a deeper one."""


class PassingBlock(CNNBlockBase):
    """Stands for a stage that is left out, so that those behind it keep their names."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) as it is."""
        return x


def make_stages(
    depth: int,
    in_channels: int,
    *,
    first: str = "res2",
    is_new: bool = True,
    norm: str | type[nn.Module] = "BN",
    stride_in_1x1: bool = False,
    num_groups: int = 1,
    width_per_group: int = 64,
    res2_out_channels: int | None = None,
    res5_dilation: int = 1,
    res3_stride: int = 2,
) -> list[list[CNNBlockBase]]:
    """res2 to res5, for ``ResNet(stages=...)``; widths as behind an RGB stem.

    Args:
        depth: 18, 34, 50, 101 or 152.
        in_channels: of the stem, C.
        first: "res2", or "res3" for a stem of stride 8: res2 has no layers, res3 stride 1.
        is_new: the first layers have no counterpart in an RGB network, so they are never frozen.
        norm: as Detectron2's ``get_norm`` takes it.
        stride_in_1x1: where the stride of a bottleneck is; from depth 50 on, as the next ones.
        num_groups: of the 3x3 convolutions.
        width_per_group: their channels a group, in res2.
        res2_out_channels: 64, from depth 50 on 256 by default.
        res5_dilation: 1 or 2; 2 keeps res4's size.
        res3_stride: 2; 1 keeps res2's size in res3, as in the published classifier.

    Raises:
        UserError: a depth, or a first stage, that there is not.
    """
    if depth not in BLOCKS_PER_STAGE or first not in ("res2", "res3") or res3_stride not in (1, 2):
        raise UserError(
            f"a ResNet of depth {depth} that begins with {first}, and has stride {res3_stride} in "
            f"res3: the depth is one of {', '.join(map(str, BLOCKS_PER_STAGE))}, the first stage "
            "res2 or res3, and that stride 1 or 2"
        )
    narrow = depth < 50
    out_channels = res2_out_channels or (64 if narrow else 256)
    if narrow and (out_channels, num_groups, width_per_group, res5_dilation) != (64, 1, 64, 1):
        raise UserError(
            f"a ResNet of depth {depth} has 64 channels in res2 (MODEL.RESNETS.RES2_OUT_CHANNELS), "
            "and neither groups nor dilation"
        )
    strides = {"res2": 1, "res3": res3_stride, "res4": 2, "res5": 3 - res5_dilation, first: 1}
    stages: list[list[CNNBlockBase]] = []
    for number, (name, stride) in enumerate(strides.items()):
        width = num_groups * width_per_group * 2**number
        if name < first:
            stages.append([PassingBlock(in_channels)])
            out_channels *= 2
            continue
        options: dict = {"norm": norm}
        if not narrow:
            options.update(bottleneck_channels=width, stride_in_1x1=stride_in_1x1)
            options.update(num_groups=num_groups, dilation=res5_dilation if name == "res5" else 1)
        blocks = BLOCKS_PER_STAGE[depth][number]
        plain, entry = (
            (BasicBlock, EntryBasicBlock) if narrow else (BottleneckBlock, EntryBottleneckBlock)
        )
        head = entry if is_new and name == first else plain
        shape = {"in_channels": in_channels, "out_channels": out_channels}
        stage = ResNet.make_stage(head, 1, **shape, stride_per_block=[stride], **options)
        shape["in_channels"] = out_channels
        stage += ResNet.make_stage(plain, blocks - 1, **shape, **options)
        stages.append(stage)
        in_channels, out_channels = out_channels, 2 * out_channels
    return stages
