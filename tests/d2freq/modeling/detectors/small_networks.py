"""ResNets with one basic block a stage, and pyramids on them, for tests that take milliseconds."""

from typing import Any

import torch
from detectron2.modeling.backbone import BasicStem, ResNet
from detectron2.modeling.backbone.fpn import LastLevelMaxPool
from detectron2.modeling.backbone.resnet import BasicBlock
from torch import nn

STAGES = ["res2", "res3", "res4", "res5"]
CHANNELS = [8, 12, 16, 20]


def network(kind: type[ResNet] = ResNet, *, norm: str = "FrozenBN", **options: Any) -> ResNet:
    """A ResNet of strides 4 to 32 and CHANNELS."""
    blocks = [
        [BasicBlock(before, after, stride=1 if stage == 0 else 2, norm=norm)]
        for stage, (before, after) in enumerate(zip([4, *CHANNELS], CHANNELS, strict=False))
    ]
    stem = BasicStem(3, 4, norm=norm)
    return kind(stem=stem, stages=blocks, out_features=STAGES, **options)


def pyramid(kind: type[nn.Module], bottom_up: ResNet, **options: Any) -> Any:
    """A neck of eight channels on it, P2 to P6, in evaluation mode."""
    top = LastLevelMaxPool()
    made = kind(bottom_up=bottom_up, in_features=STAGES, out_channels=8, top_block=top, **options)
    return made.eval()


def disturb(module: nn.Module, std: float = 0.1) -> None:
    """Random numbers in the place of what a part started with."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=std)


def count(module: nn.Module, *, trained: bool = False) -> int:
    """Parameters, or those that train."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trained)


def parts_of(state: dict[str, torch.Tensor]) -> set[str]:
    """What the names of tensors begin with."""
    return {name.split(".")[0] for name in state}
