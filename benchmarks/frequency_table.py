"""Parameters and multiply-adds of networks on DCT channels beside what was measured of the paper's.

Classifiers (ResNet-50 as released, with res3 of stride 1, and with ordinary strides; MobileNetV2),
detection backbones on 800 x 1344 pixels, and the gate. The reference was counted on the published
code as it was here: products of convolutions and linear layers, two operations a number for batch
norm, no block DCT, which stands outside of the network there; what it costs within has a column of
its own. On torch's device "meta": sizes alone.
"""

from typing import NamedTuple

import d2freq  # noqa: F401  chooses the host of what follows

# isort: split
import torch
from detectron2.modeling.backbone import BasicStem, ResNet
from tabulate import tabulate
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import mobilenet_v2

from d2freq.modeling.backbones import MobileNetV2
from d2freq.modeling.frequency_input import (
    ChannelGate,
    DCTStem,
    InputStem,
    MobileNetEntry,
    make_stages,
)


class Row(NamedTuple):
    """A network: its parts in M, its reference in M and G, and the pixels that it takes."""

    name: str
    parameters: float
    macs: float | None
    network: nn.Module
    size: tuple[int, int]
    stem: InputStem | None = None


def rows() -> list[Row]:
    """The networks with the figures of the published code."""
    found = [_rgb("R50 RGB, 224", 25.557, 4.112, (224, 224), classes=1000)]
    for count, parameters, released, ordinary in (
        ("24", 25.535, 13.580, 3.952),
        ("32", 25.537, 13.588, None),
        ("48", 25.542, 13.604, 3.976),
        ("64", 25.547, 13.620, 3.992),
        ("192", 25.588, 13.749, 4.120),
    ):
        for stride, macs in ((1, released), (2, ordinary)):
            name = f"R50 DCT-{count}, 448" + (", released" if stride == 1 else "")
            found.append(_resnet(name, parameters, macs, count, "8x8", (448, 448), stride, 1000))
    found.append(Row("MobileNetV2 RGB, 224", 3.505, None, mobilenet_v2(), (224, 224)))
    for count, parameters, macs in (
        ("24", 3.504, 0.300),
        ("32", 3.504, 0.303),
        ("192", 3.505, 0.321),
    ):
        found.append(_mobilenet(f"MobileNetV2 DCT-{count}, 896", parameters, macs, count))
    size = (800, 1344)
    found.append(_rgb("detection R50 RGB", 23.508, 88.06, size))
    for count, parameters, macs in (
        ("24", 23.486, 84.63),
        ("64", 23.499, 85.50),
        ("192", 23.540, 88.25),
    ):
        name = f"detection R50 DCT-{count}"
        found.append(_resnet(name, parameters, macs, count, "x2", size, 2, 0))
    return found


def _rgb(name, parameters, macs, size, *, classes=0) -> Row:
    stages = ResNet.make_default_stages(50, stride_in_1x1=False, norm="BN")
    stem = BasicStem(3, 64, norm="BN")
    last = ["res5", "linear"] if classes else ["res5"]  # without res5 Detectron2 drops all stages
    return Row(name, parameters, macs, ResNet(stem, stages, classes or None, last), size)


def _resnet(name, parameters, macs, count, mode, size, res3_stride, classes) -> Row:
    stem = DCTStem(mode=mode, channels=count)
    stages = make_stages(50, stem.out_channels, norm="BN", res3_stride=res3_stride)
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, classes)] if classes else []
    network = nn.Sequential(*(block for stage in stages for block in stage), *head)
    return Row(name, parameters, macs, network, size, stem)


def _mobilenet(name, parameters, macs, count) -> Row:
    stem = DCTStem(mode="8x8", channels=count)
    first = [stem, MobileNetEntry(stem.out_channels, norm="BN")]
    network = MobileNetV2(out_features=["res5"], norm="BN", first_layers=first)
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000)]
    return Row(
        name, parameters, macs, nn.Sequential(*network.features[1:], *head), (896, 896), stem
    )


def multiply_adds(network: nn.Module, x: torch.Tensor) -> float:
    """In G: products of convolutions and linear layers, two a number for batch norm."""
    normed = 0

    def add(module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        nonlocal normed
        normed += 2 * output.numel()

    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    hooks = [module.register_forward_hook(add) for module in norms]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(x)
    for hook in hooks:
        hook.remove()
    return (counter.get_total_flops() / 2 + normed) / 1e9


def table() -> str:
    """The table as markdown; differences in per cent of the reference."""
    body = []
    with torch.device("meta"):
        for row in rows():
            x, transform = torch.zeros(1, 3, *row.size), 0.0
            if row.stem is not None:
                transform = multiply_adds(row.stem.to("meta"), x)
                x = torch.zeros(1, row.stem.out_channels, *(s // row.stem.stride for s in row.size))
            ours = multiply_adds(row.network, x)
            parameters = sum(p.numel() for p in row.network.parameters()) / 1e6
            off = None if row.macs is None else 100 * (ours / row.macs - 1)
            body.append((row.name, row.parameters, parameters, row.macs, ours, off, transform))
    headers = ("network", "parameters, M: published", "ours", "multiply-adds, G: published")
    headers += ("ours", "difference, %", "block DCT, G")
    formats = ("", ".3f", ".3f", ".3f", ".3f", "+.2f", ".3f")
    gate = sum(p.numel() for p in ChannelGate(192).parameters())
    text = tabulate(body, headers, tablefmt="pipe", floatfmt=formats, missingval="-")
    return f"{text}\n\nThe gate over 192 channels has {gate} parameters; published: 38208."


if __name__ == "__main__":
    print(table())
