"""torchvision's ResNet weights under Detectron2's names."""

import re
from collections.abc import Iterable

__all__ = ["convert_torchvision_resnet_name", "is_torchvision_resnet"]

_UNIQUE_KEYS = {"conv1.weight", "bn1.running_mean", "layer1.0.conv1.weight", "layer4.0.bn2.weight"}


def is_torchvision_resnet(names: Iterable[str]) -> bool:
    """Whether the state dict with these names is that of a torchvision ResNet."""
    return _UNIQUE_KEYS.issubset(names)


def convert_torchvision_resnet_name(name: str) -> str:
    """``layer1.0.bn2.weight`` becomes ``res2.0.conv2.norm.weight``, and so on for all of them."""
    block = re.match(r"layer(\d)\.(\d+)\.", name)
    stage = f"res{int(block[1]) + 1}.{block[2]}." if block else "stem."
    if name.startswith("fc."):
        return "linear." + name[len("fc.") :]
    rest = name[block.end() :] if block else name
    rest = re.sub(r"^bn(\d)\.", r"conv\1.norm.", rest)
    rest = rest.replace("downsample.0.", "shortcut.").replace("downsample.1.", "shortcut.norm.")
    return stage + rest
