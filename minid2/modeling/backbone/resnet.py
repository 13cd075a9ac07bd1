"""ResNet as a backbone, and its builder.

Shapes: N images, C channels, H x W the image.
"""

from typing import Any

import torch
from torch import nn

from ...config import CfgNode
from ...host import refuse
from ...layers import CNNBlockBase, ShapeSpec
from .backbone import Backbone
from .build import BACKBONE_REGISTRY
from .resnet_blocks import BasicBlock, BasicStem, BottleneckBlock

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

    ``kwargs`` are arguments of ``block_class``; ``xx_per_block`` is a list with the argument
    ``xx`` of each block.
    """
    lists = {key: kwargs.pop(key) for key in list(kwargs) if key.endswith(_PER_BLOCK)}
    blocks = []
    for index in range(num_blocks):
        own = {key.removesuffix(_PER_BLOCK): values[index] for key, values in lists.items()}
        source = in_channels if index == 0 else out_channels
        blocks.append(block_class(source, out_channels, **kwargs, **own))
    return blocks


class ResNet(Backbone):
    """A stem and stages ``res2, res3, ...``; any of their outputs are features."""

    linear: nn.Linear
    make_stage = staticmethod(make_stage)

    def __init__(
        self,
        stem: CNNBlockBase,
        stages: list[list[CNNBlockBase]],
        num_classes: int | None = None,
        out_features: list[str] | None = None,
        freeze_at: int = 0,
    ):
        """Join a stem and stages.

        Args:
            stem: has ``out_channels`` and ``stride``.
            stages: blocks of res2, res3, and so on. Stages behind the last feature asked for are
                dropped.
            num_classes: adds average pooling and a linear classifier, the feature "linear".
            out_features: any of "stem", "res2", ..., "linear"; the last layer alone if None.
            freeze_at: how many stages are fixed, see ``freeze``.

        Raises:
            ValueError: if ``out_features`` is empty or has a name that this network lacks.
        """
        super().__init__()
        self.num_classes = num_classes
        known = ["stem", *(f"res{number}" for number in range(2, 2 + len(stages)))]
        if num_classes is not None:
            known.append("linear")
        if out_features is None:
            out_features = known[-1:]
        if not out_features or not set(out_features) <= set(known):
            raise ValueError(
                f"ResNet has the features {', '.join(known)}; "
                f"out_features (MODEL.RESNETS.OUT_FEATURES) asks for {list(out_features)}"
            )
        self._out_features = list(out_features)

        self.stem = stem
        stride, channels = stem.stride, stem.out_channels
        self._out_feature_strides = {"stem": stride}
        self._out_feature_channels = {"stem": channels}
        last = max(known.index(name) for name in out_features)
        self.stages = [nn.Sequential(*blocks) for blocks in stages[:last]]
        self.stage_names = tuple(known[1 : 1 + len(self.stages)])
        for name, stage, blocks in zip(self.stage_names, self.stages, stages, strict=False):
            self.add_module(name, stage)
            for block in blocks:
                stride *= block.stride
            channels = blocks[-1].out_channels
            self._out_feature_strides[name] = stride
            self._out_feature_channels[name] = channels
        if num_classes is not None:
            self.linear = nn.Linear(channels, num_classes)
            nn.init.normal_(self.linear.weight, std=0.01)  # Goyal et al. 2017, section 5.1
        self.freeze(freeze_at)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Map (N, C, H, W) to the features asked for, by name.

        Returns:
            (N, C_i, H / stride_i, W / stride_i) a stage; (N, num_classes) for "linear".
        """
        features = {"stem": self.stem(x)}
        x = features["stem"]
        for name, stage in zip(self.stage_names, self.stages, strict=True):
            features[name] = x = stage(x)
        if "linear" in self._out_features:
            features["linear"] = self.linear(x.mean(dim=(2, 3)))
        return {name: map_ for name, map_ in features.items() if name in self._out_features}

    def freeze(self, freeze_at: int = 0) -> "ResNet":
        """Fix the first stages: no gradients, batch norms as FrozenBatchNorm2d.

        1 fixes the stem, 2 the stem and res2, and so on; 0 nothing.
        """
        if freeze_at >= 1:
            self.stem.freeze()
        for stage in self.stages[: max(freeze_at - 1, 0)]:
            for block in stage:
                block.freeze()  # type: ignore[operator]  # a CNNBlockBase
        return self

    @staticmethod
    def make_default_stages(
        depth: int, block_class: type[CNNBlockBase] | None = None, **kwargs: Any
    ) -> list[list[CNNBlockBase]]:
        """Make the four stages of a ResNet of depth 18, 34, 50, 101 or 152.

        ``block_class`` is BasicBlock below 50 and BottleneckBlock from there on, if None;
        ``kwargs`` are further arguments of the blocks, but neither strides nor channels.
        """
        narrow = depth < 50
        if block_class is None:
            block_class = BasicBlock if narrow else BottleneckBlock
        stages = []
        channels = 64
        for index, num_blocks in enumerate(BLOCKS_PER_STAGE[depth]):
            width = 64 * 2**index
            kwargs["stride_per_block"] = [1 if index == 0 else 2, *[1] * (num_blocks - 1)]
            if not narrow:
                kwargs["bottleneck_channels"] = width
            shape = {"in_channels": channels, "out_channels": width if narrow else 4 * width}
            stages.append(make_stage(block_class, num_blocks, **shape, **kwargs))
            channels = shape["out_channels"]
        return stages


@BACKBONE_REGISTRY.register()
def build_resnet_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> ResNet:
    """ResNet from MODEL.RESNETS, its first MODEL.BACKBONE.FREEZE_AT stages fixed.

    Raises:
        ValueError: for a combination of keys that no ResNet has; the message names them.
        NotImplementedError: for MODEL.RESNETS.DEFORM_ON_PER_STAGE.
    """
    keys = cfg.MODEL.RESNETS
    _check_keys(keys)
    narrow = keys.DEPTH < 50
    width = keys.NUM_GROUPS * keys.WIDTH_PER_GROUP
    out_channels = keys.RES2_OUT_CHANNELS
    in_channels = keys.STEM_OUT_CHANNELS
    assert input_shape.channels is not None
    stem = BasicStem(in_channels=input_shape.channels, out_channels=in_channels, norm=keys.NORM)
    stages = []
    for number, num_blocks in enumerate(BLOCKS_PER_STAGE[keys.DEPTH], start=2):
        dilation = keys.RES5_DILATION if number == 5 else 1
        # A dilated res5 sees as far without halving the map.
        stride = 1 if number == 2 or dilation == 2 else 2
        options = {"norm": keys.NORM, "stride_per_block": [stride, *[1] * (num_blocks - 1)]}
        if not narrow:
            options.update(bottleneck_channels=width, num_groups=keys.NUM_GROUPS)
            options.update(stride_in_1x1=keys.STRIDE_IN_1X1, dilation=dilation)
        block_class = BasicBlock if narrow else BottleneckBlock
        options.update(in_channels=in_channels, out_channels=out_channels)
        stages.append(make_stage(block_class, num_blocks, **options))
        in_channels = out_channels
        out_channels *= 2
        width *= 2
    return ResNet(
        stem, stages, out_features=keys.OUT_FEATURES, freeze_at=cfg.MODEL.BACKBONE.FREEZE_AT
    )


def _check_keys(keys: CfgNode) -> None:
    """Refuse what cannot be built."""
    refuse("MODEL.RESNETS.DEFORM_ON_PER_STAGE", any(keys.DEFORM_ON_PER_STAGE))
    allowed = {"DEPTH": tuple(BLOCKS_PER_STAGE), "RES5_DILATION": (1, 2)}
    if keys.DEPTH < 50:
        allowed.update(RES2_OUT_CHANNELS=(64,), RES5_DILATION=(1,), NUM_GROUPS=(1,))
    for key, values in allowed.items():
        if keys[key] not in values:
            at_depth = f"for DEPTH {keys.DEPTH} " if len(values) == 1 else ""
            raise ValueError(f"MODEL.RESNETS.{key} {at_depth}is one of {values}, not {keys[key]}")
