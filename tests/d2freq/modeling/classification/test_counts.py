"""Parameters and multiply-adds of the paper's classifiers (measured on the published code).

Those figures count convolutions, the linear layer and two a number for batch norm, but not the
block DCT, which stands outside of the network there.
"""

from functools import lru_cache

import pytest
import torch
from detectron2.modeling import build_model
from torch import nn

from d2freq.analysis.cost.count import measure_cost
from d2freq.cli import main
from d2freq.engine import load_yaml
from d2freq.modeling.frequency_input import FixedStem

from ....configs.config_cases import CONFIGS

# config: parameters in M, multiply-adds in G
PUBLISHED = {
    "R50": ("25.557", 4.112),
    "R50_DCT24_released": ("25.535", 13.580),
    "R50_DCT64_released": ("25.547", 13.620),
    "R50_DCT192_released": ("25.588", 13.749),
    "R50_DCT24": ("25.535", 3.952),
    "R50_DCT64": ("25.547", 3.992),
    "R50_DCT192": ("25.588", 4.120),
    "MobileNetV2": ("3.505", None),  # printed without norms
    "MobileNetV2_DCT24": ("3.504", 0.300),
    "MobileNetV2_DCT32": ("3.504", 0.303),
}


@lru_cache
def meta_model(name: str, *options: str):
    """The model of a config without memory, and the side of its images."""
    cfg = load_yaml(str(CONFIGS / f"frequency_input/classifier_{name}_imagenet.yaml"), [*options])
    cfg.MODEL.DEVICE = "meta"
    with torch.device("meta"):
        return build_model(cfg).eval(), cfg.INPUT.CLASSIFICATION.CROP


def count(model: nn.Module, side: int) -> tuple[int, int, tuple[int, ...]]:
    """Products of convolutions and linear layer, numbers through norms, shape of the last map."""
    products, normed, last = 0, 0, ()

    def add(module, _, output):
        nonlocal products, normed, last
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            products += output.numel() * module.weight[0].numel()
        elif isinstance(module, nn.BatchNorm2d):
            normed += output.numel()
            last = tuple(output.shape)

    hooks = [module.register_forward_hook(add) for module in model.modules()]
    with torch.no_grad():
        model.classify(torch.zeros(1, 3, side, side, device="meta"))
    for hook in hooks:
        hook.remove()
    return products, normed, last


@pytest.mark.parametrize("name", PUBLISHED)
def test_figures_of_each_config_are_the_published_ones(name):
    parameters, macs = PUBLISHED[name]
    model, side = meta_model(name)
    found = sum(parameter.numel() for parameter in model.parameters())
    assert abs(found / 1e6 - float(parameters)) <= 0.00051  # 25.5475 is printed as 25.547
    products, normed, last = count(model, side)
    # 448 pixels are 56 x 56 blocks, 896 are 112 x 112; published, res3 keeps 56 x 56
    assert side == (224 if "DCT" not in name else 448 if "R50" in name else 896)
    assert last[-2:] == ((14, 14) if "released" in name else (7, 7))
    if macs:
        assert (products + 2 * normed) / 1e9 == pytest.approx(macs, rel=0.005)
    else:
        assert products / 1e9 == pytest.approx(0.301, rel=0.005)

    stems = [module for module in model.modules() if isinstance(module, FixedStem)]
    block_dct = sum(stem.kernel.numel() * (side // stem.stride) ** 2 for stem in stems)
    assert measure_cost(model, size=(side, side)).total == (found, products + block_dct)
    counted, work = measure_cost(model, size=(side, side), rule="paper").total
    assert counted == found and (not macs or work / 1e9 == pytest.approx(macs, rel=0.005))


@pytest.mark.parametrize("ending", [".yaml", ".py"])
def test_command_takes_the_square_of_the_config(ending, capsys):
    file = str(CONFIGS / f"frequency_input/classifier_R50_imagenet{ending}")
    assert main(["cost", "--config-file", file]) == 0
    printed = capsys.readouterr().out
    assert "224 x 224 pixels, rule all" in printed
    rows = [line.split("|")[1:-1] for line in printed.splitlines() if line.startswith("|")]
    cells = {name.strip(): [cell.strip() for cell in rest] for name, *rest in rows}
    assert cells["total"] == ["25.557", "4.089"] and cells["linear"] == ["2.049", "0.002"]


def test_mobilenetv2_on_all_channels():
    model, side = meta_model("MobileNetV2_DCT24", "MODEL.FREQ_INPUT.CHANNELS", "192")
    found = sum(parameter.numel() for parameter in model.parameters())
    products, normed, _ = count(model, side)
    assert f"{found / 1e6:.3f}" == "3.505"
    assert (products + 2 * normed) / 1e9 == pytest.approx(0.321, rel=0.005)
