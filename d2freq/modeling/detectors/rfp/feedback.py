"""A ResNet that runs with feedback: maps of its own pyramid, added in the first block of a stage.

Shape shorthand: B images, C channels, H x W of a map.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch.nn.functional as F
from detectron2.modeling.backbone import ResNet
from torch import Tensor, nn

__all__ = ["AnotherResNet", "run_with_feedback", "stages_of"]


class AnotherResNet(nn.Module):
    """The parts of a ResNet under names that no other ResNet has: stage1 (its stem) to stage5.

    Detectron2 matches a file of ImageNet weights by the endings of names, and gives up where an
    entry, such as ``res3.0.conv1.weight``, fits two layers of a model. Under these names it fits
    the model's first ResNet alone.
    """

    def __init__(self, network: ResNet) -> None:
        super().__init__()
        self.stage1 = network.stem
        for name, stage in stages_of(network).items():
            self.add_module(_other_name(name), stage)
        self.stage_names = tuple(network.stage_names)

    @property
    def stem(self) -> nn.Module:
        """As a ResNet has it."""
        return self.stage1

    def names(self) -> Iterator[tuple[str, str]]:
        """Each entry of its state dict, as it is called in a ResNet, and here."""
        theirs = {_other_name(name): name for name in ("stem", *self.stage_names)}
        for name in self.state_dict():
            part, _, rest = name.partition(".")
            yield f"{theirs[part]}.{rest}", name


def stages_of(network: nn.Module) -> dict[str, nn.Module]:
    """The stages of a ResNet, or of another one, by their names in a ResNet: "res2", ..."""
    own = isinstance(network, AnotherResNet)
    names: Any = network.stage_names
    return {name: network.get_submodule(_other_name(name) if own else name) for name in names}


def run_with_feedback(
    network: nn.Module, x: Tensor, feedback: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The maps of all stages of a ResNet.

    Args:
        network: a ResNet or an AnotherResNet.
        x: (B, C, H, W).
        feedback: stage name -> what is added in its first block, of the size of its output.
    """
    stem: Any = network.stem
    features, x = {}, stem(x)
    for name, stage in stages_of(network).items():
        first, *others = stage.children()
        x = _run_block(first, x, feedback[name]) if name in feedback else first(x)
        for block in others:
            x = block(x)
        features[name] = x
    return features


def _run_block(block: Any, x: Tensor, added: Tensor) -> Tensor:
    """A residual block with a map added in front of its last ReLU."""
    *inner, last = [part for name, part in block.named_children() if name.startswith("conv")]
    y = x
    for convolution in inner:
        y = F.relu_(convolution(y))
    shortcut = x if block.shortcut is None else block.shortcut(x)
    return F.relu_(last(y) + shortcut + added)


def _other_name(name: str) -> str:
    return "stage1" if name == "stem" else f"stage{name.removeprefix('res')}"
