"""Parameters and multiply-adds of the networks that were published."""

import pytest
import torch
from detectron2.modeling.backbone import ResNet
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from d2freq.modeling.backbones import MobileNetV2
from d2freq.modeling.frequency_input import DCTStem, MobileNetEntry, make_stages

# facts 2.1: channels -> parameters in millions; GMAC as released (res3 without a stride), and with
# ordinary strides
CLASSIFIERS = {
    "24": (25.535, 13.580, 3.952),
    "32": (25.537, 13.588, None),
    "48": (25.542, 13.604, 3.976),
    "64": (25.547, 13.620, 3.992),
    "192": (25.588, 13.749, 4.120),
}
# facts 2.3: the detector's backbone on 800 x 1344 pixels, its parameters from rounded numbers
DETECTORS = {"24": (23.486, 84.63), "64": (23.499, 85.50), "192": (23.540, 88.25)}
# facts 2.2
MOBILENETS = {"24": (3.504, 0.300), "32": (3.504, 0.303), "192": (3.505, 0.321)}


def millions(*modules):
    return round(sum(p.numel() for module in modules for p in module.parameters()) / 1e6, 3)


def giga_macs(network, x):
    """Products of the convolutions, and two operations a number for batch norm, as published."""
    norms = 0

    def count(module, inputs, output):
        nonlocal norms
        norms += 2 * output.numel()

    hooks = [
        m.register_forward_hook(count) for m in network.modules() if isinstance(m, nn.BatchNorm2d)
    ]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(x)
    for hook in hooks:
        hook.remove()
    return (counter.get_total_flops() / 2 + norms) / 1e9


def resnet(channels, **options):
    """ResNet-50 without memory: the stem, and the stages one after the other."""
    stem = DCTStem(channels=channels)
    stages = make_stages(50, stem.out_channels, norm="BN", **options)
    network = ResNet(stem, stages, num_classes=1000, out_features=["res5", "linear"]).eval()
    return network, nn.Sequential(*network.stages)


@pytest.mark.parametrize("channels", CLASSIFIERS)
def test_the_resnet_50_classifier(channels):
    parameters, released, ordinary = CLASSIFIERS[channels]
    with torch.device("meta"):
        x = torch.zeros(1, int(channels), 56, 56)
        for stride, expected in ((1, released), (2, ordinary)):
            network, stages = resnet(channels, res3_stride=stride)
            assert millions(network) == parameters
            macs = giga_macs(stages, x) + 2048 * 1000 / 1e9
            assert expected is None or macs == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize("channels", DETECTORS)
def test_the_detectors_resnet_50(channels):
    parameters, macs = DETECTORS[channels]
    with torch.device("meta"):
        _, stages = resnet(channels)
        assert millions(stages) == pytest.approx(parameters, abs=0.0011)
        found = giga_macs(stages, torch.zeros(1, int(channels), 200, 336))
    assert found == pytest.approx(macs, rel=0.005)


@pytest.mark.parametrize("channels", MOBILENETS)
def test_the_mobilenet_v2_classifier(channels):
    parameters, macs = MOBILENETS[channels]
    with torch.device("meta"):
        first = [DCTStem(channels=channels), MobileNetEntry(int(channels), norm="BN")]
        network = MobileNetV2(norm="BN", first_layers=first).eval()
        assert millions(network, nn.Linear(1280, 1000)) == parameters
        found = giga_macs(network.features[1:], torch.zeros(1, int(channels), 112, 112))
    assert found + 1280 * 1000 / 1e9 == pytest.approx(macs, rel=0.005)


@pytest.mark.parametrize(("channels", "groups"), [(6, 6), (32, 32), (48, 16), (64, 32), (192, 32)])
def test_mobilenets_first_block_takes_any_number_of_channels(channels, groups):
    block = MobileNetEntry(channels, norm="BN")
    assert block.conv[0][0].groups == groups
    assert block(torch.randn(2, channels, 6, 8)).shape == (2, 16, 6, 8)
