"""ResNet as a backbone, and its builder.

Shapes: N images, C channels, H x W the image.
"""

from typing import Any

import torch
from torch import nn

from ...config import CfgNode
from ...layers import CNNBlockBase, ShapeSpec
from .backbone import Backbone
from .build import BACKBONE_REGISTRY
from .resnet_blocks import BasicBlock, BasicStem, BottleneckBlock
from .resnet_stages import BLOCKS_PER_STAGE, make_default_stages, make_stage

__all__ = [
    "BasicBlock",
    "BasicStem",
    "BottleneckBlock",
    "ResNet",
    "ResNetBlockBase",
    "build_resnet_backbone",
    "make_stage",
]

ResNetBlockBase = CNNBlockBase  # its first name, still imported by older projects


class ResNet(Backbone):
    """A stem and stages ``res2, res3, ...``; any of their outputs are features."""

    avgpool: nn.Module
    linear: nn.Linear
    stem: CNNBlockBase
    make_stage = staticmethod(make_stage)

    @staticmethod
    def make_default_stages(
        depth: int, block_class: type[CNNBlockBase] | None = None, **kwargs: Any
    ) -> list[list[CNNBlockBase]]:
        """See :func:`make_default_stages`; a method, so that a dumped config names it as one."""
        return make_default_stages(depth, block_class, **kwargs)

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
        names = [f"res{number}" for number in range(2, 2 + len(stages))]
        if out_features is None:
            out_features = ["linear" if num_classes is not None else names[-1]]
        known = ["stem", *names, *(["linear"] if num_classes is not None else [])]
        unknown = [name for name in out_features if name not in known]
        if unknown or not out_features:
            raise ValueError(
                f"ResNet has the features {', '.join(known)}; "
                f"out_features (MODEL.RESNETS.OUT_FEATURES) asks for {list(out_features)}"
            )
        if any(name in names for name in out_features):
            deepest = max(names.index(name) for name in out_features if name in names)
            names = names[: deepest + 1]
        elif "linear" not in out_features:
            names = []

        self.stem = stem
        stride, channels = stem.stride, stem.out_channels
        self._out_feature_strides = {"stem": stride}
        self._out_feature_channels = {"stem": channels}
        self.stage_names = tuple(names)
        self.stages: list[nn.Sequential] = []
        for name, blocks in zip(names, stages, strict=False):
            stage = nn.Sequential(*blocks)
            self.add_module(name, stage)
            self.stages.append(stage)
            for block in blocks:
                stride *= block.stride
            channels = blocks[-1].out_channels
            self._out_feature_strides[name] = stride
            self._out_feature_channels[name] = channels
        if num_classes is not None:
            self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
            self.linear = nn.Linear(channels, num_classes)
            nn.init.normal_(self.linear.weight, std=0.01)  # Goyal et al. 2017, section 5.1
        self._out_features = list(out_features)
        self.freeze(freeze_at)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Map (N, C, H, W) to the features asked for, by name.

        Returns:
            (N, C_i, H / stride_i, W / stride_i) a stage; (N, num_classes) for "linear".

        Raises:
            ValueError: if ``x`` has not four dimensions.
        """
        if x.dim() != 4:
            raise ValueError(f"ResNet takes (N, C, H, W), got {tuple(x.shape)}")
        features = {"stem": self.stem(x)}
        x = features["stem"]
        for name, stage in zip(self.stage_names, self.stages, strict=True):
            features[name] = x = stage(x)
        if "linear" in self._out_features:
            features["linear"] = self.linear(self.avgpool(x).flatten(1))
        return {name: map_ for name, map_ in features.items() if name in self._out_features}

    def freeze(self, freeze_at: int = 0) -> "ResNet":
        """Fix the first stages: no gradients, batch norms as FrozenBatchNorm2d.

        Args:
            freeze_at: 1 fixes the stem, 2 the stem and res2, and so on; 0 nothing.
        """
        if freeze_at >= 1:
            self.stem.freeze()
        for stage in self.stages[: max(freeze_at - 1, 0)]:
            for block in stage:
                block.freeze()  # type: ignore[operator]  # a CNNBlockBase
        return self


@BACKBONE_REGISTRY.register()
def build_resnet_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> ResNet:
    """ResNet from MODEL.RESNETS, its first MODEL.BACKBONE.FREEZE_AT stages fixed.

    Raises:
        ValueError: for a combination of keys that no ResNet has; the message names them.
        NotImplementedError: for MODEL.RESNETS.DEFORM_ON_PER_STAGE.
    """
    assert input_shape.channels is not None, "the image's channels are not known"
    keys = cfg.MODEL.RESNETS
    narrow = _check_keys(keys)
    width = keys.NUM_GROUPS * keys.WIDTH_PER_GROUP
    out_channels = keys.RES2_OUT_CHANNELS
    in_channels = keys.STEM_OUT_CHANNELS
    stem = BasicStem(in_channels=input_shape.channels, out_channels=in_channels, norm=keys.NORM)
    stages = []
    for number, num_blocks in enumerate(BLOCKS_PER_STAGE[keys.DEPTH], start=2):
        dilation = keys.RES5_DILATION if number == 5 else 1
        # A dilated res5 sees as far without halving the map.
        stride = 1 if number == 2 or dilation == 2 else 2
        options = {"norm": keys.NORM, "stride_per_block": [stride, *[1] * (num_blocks - 1)]}
        if not narrow:
            options.update(
                bottleneck_channels=width,
                num_groups=keys.NUM_GROUPS,
                stride_in_1x1=keys.STRIDE_IN_1X1,
                dilation=dilation,
            )
        stages.append(
            make_stage(
                BasicBlock if narrow else BottleneckBlock,
                num_blocks,
                in_channels=in_channels,
                out_channels=out_channels,
                **options,
            )
        )
        in_channels = out_channels
        out_channels *= 2
        width *= 2
    return ResNet(
        stem, stages, out_features=keys.OUT_FEATURES, freeze_at=cfg.MODEL.BACKBONE.FREEZE_AT
    )


def _check_keys(keys: CfgNode) -> bool:
    """Refuse what cannot be built; return whether the depth takes BasicBlock."""
    where = "MODEL.RESNETS."
    if any(keys.DEFORM_ON_PER_STAGE):
        raise NotImplementedError(
            f"{where}DEFORM_ON_PER_STAGE: minid2 has no deformable ResNet blocks; "
            "install Detectron2 for them, or set it to [False, False, False, False]"
        )
    if keys.DEPTH not in BLOCKS_PER_STAGE:
        raise ValueError(f"{where}DEPTH is one of {list(BLOCKS_PER_STAGE)}, got {keys.DEPTH}")
    if keys.RES5_DILATION not in (1, 2):
        raise ValueError(f"{where}RES5_DILATION is 1 or 2, got {keys.RES5_DILATION}")
    narrow = keys.DEPTH < 50
    if narrow:
        for key, needed in (("RES2_OUT_CHANNELS", 64), ("RES5_DILATION", 1), ("NUM_GROUPS", 1)):
            if keys[key] != needed:
                raise ValueError(
                    f"{where}{key} has to be {needed} for DEPTH {keys.DEPTH}, got {keys[key]}"
                )
    return narrow
