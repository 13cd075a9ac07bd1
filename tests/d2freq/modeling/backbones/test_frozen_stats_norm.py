"""FrozenStatsBN against torch's batch norm in evaluation mode, and within the backbones."""

import pytest
import torch
from detectron2.config import LazyCall as L
from detectron2.config import get_cfg, instantiate
from detectron2.layers import FrozenBatchNorm2d
from detectron2.modeling import build_backbone
from detectron2.modeling.backbone import BasicStem, ResNet
from detectron2.solver.build import get_default_optimizer_params
from torch import nn

from d2freq import add_d2freq_config
from d2freq.modeling.backbones import FrozenStatsBatchNorm2d, norm_layer


def statistics(channels):
    torch.manual_seed(0)
    return {
        "weight": torch.randn(channels),
        "bias": torch.randn(channels),
        "running_mean": torch.randn(channels),
        "running_var": torch.rand(channels) + 0.1,
    }


@pytest.mark.parametrize("through_input", [True, False])
def test_output_and_gradients_are_those_of_batch_norm_in_evaluation_mode(through_input):
    ours, reference = FrozenStatsBatchNorm2d(5).double(), nn.BatchNorm2d(5).double()
    for layer in (ours, reference):
        layer.load_state_dict(statistics(5), strict=False)
    ours.train()
    reference.eval()
    x = torch.randn(3, 5, 4, 6, dtype=torch.float64)
    found = []
    for layer in (ours, reference):
        own = x.clone().requires_grad_(through_input)
        y = layer(own)
        (y * torch.arange(y.numel()).view_as(y)).sum().backward()
        found.append([y, layer.weight.grad, layer.bias.grad, own.grad])
    for one, other in zip(*found, strict=True):
        assert one is other is None or torch.allclose(one, other, rtol=1e-10)
    assert torch.equal(ours.running_mean, reference.running_mean)


def test_keys_are_those_of_frozen_bn_and_weights_load_either_way():
    ours, frozen = FrozenStatsBatchNorm2d(4), FrozenBatchNorm2d(4)
    assert list(ours.state_dict()) == list(frozen.state_dict())
    frozen.load_state_dict(statistics(4))
    ours.load_state_dict(frozen.state_dict())
    x = torch.randn(2, 4, 3, 3)
    torch.testing.assert_close(ours(x), frozen(x))
    frozen.load_state_dict(ours.state_dict())
    fresh = FrozenStatsBatchNorm2d(4)
    torch.testing.assert_close(fresh(x), x)
    assert [name for name, _ in fresh.named_parameters()] == ["weight", "bias"]


def config(**keys):
    cfg = get_cfg()
    add_d2freq_config(cfg)
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.RESNETS.OUT_FEATURES = ["res2", "res3", "res4", "res5"]
    cfg.MODEL.FPN.IN_FEATURES = ["res2", "res3", "res4", "res5"]
    options = {name.replace("__", "."): value for name, value in keys.items()}
    cfg.merge_from_list([part for pair in options.items() for part in pair])
    return cfg


def trained(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def test_a_resnet_50_trains_what_the_paper_counts():
    """Facts: 23,508,032 parameters, of which stem and res2 with their norms, 225,344, are fixed."""
    with torch.device("meta"):
        build = build_backbone
        keys = {"MODEL__BACKBONE__NAME": "build_d2freq_resnet_backbone"}
        ours = build(config(**keys, MODEL__RESNETS__NORM="FrozenStatsBN"))
        plain = build(config(**keys))
    assert trained(ours) == 23_508_032 - 225_344
    assert trained(plain) == 23_508_032 - 53_120 - 222_400
    assert list(ours.state_dict()) == list(plain.state_dict())
    norms = [m for m in ours.modules() if isinstance(m, FrozenBatchNorm2d)]
    assert len(norms) == 53 and all(isinstance(m, FrozenStatsBatchNorm2d) for m in norms)


def test_a_lazy_resnet_is_the_same():
    recipe = L(ResNet)(
        stem=L(BasicStem)(in_channels=3, out_channels=64, norm=L(norm_layer)(name="FrozenStatsBN")),
        stages=L(ResNet.make_default_stages)(
            depth=50, stride_in_1x1=False, norm=L(norm_layer)(name="FrozenStatsBN")
        ),
        out_features=["res2", "res3", "res4", "res5"],
        freeze_at=2,
    )
    models = []
    for build in (
        lambda: build_backbone(
            config(
                MODEL__BACKBONE__NAME="build_d2freq_resnet_backbone",
                MODEL__RESNETS__NORM="FrozenStatsBN",
                MODEL__RESNETS__STRIDE_IN_1X1=False,
            )
        ),
        lambda: instantiate(recipe),
    ):
        torch.manual_seed(1)
        models.append(build())
    yaml, lazy = models
    for (name, one), (other_name, other) in zip(
        yaml.state_dict().items(), lazy.state_dict().items(), strict=True
    ):
        assert name == other_name and torch.equal(one, other)
    needs = [{n: p.requires_grad for n, p in model.named_parameters()} for model in models]
    assert needs[0] == needs[1]


@pytest.mark.parametrize("name", ["build_mobilenetv2_backbone", "build_mobilenetv2_dct_backbone"])
def test_mobilenet_without_frozen_stages_trains_all(name):
    keys = {"MODEL__BACKBONE__NAME": name, "MODEL__BACKBONE__FREEZE_AT": 0}
    keys |= {"MODEL__FREQ_INPUT__MODE": "x4"}
    ours, trainable = (
        build_backbone(config(**keys, MODEL__MOBILENETV2__NORM=norm))
        for norm in ("FrozenStatsBN", "BN")
    )
    assert trained(ours) == trained(trainable) == sum(p.numel() for p in ours.parameters())
    norms = [m for m in ours.modules() if isinstance(m, FrozenBatchNorm2d)]
    assert norms and all(isinstance(m, FrozenStatsBatchNorm2d) for m in norms)


def test_dct_resnet_takes_the_norm():
    cfg = config(
        MODEL__BACKBONE__NAME="build_resnet_dct_backbone",
        MODEL__RESNETS__NORM="FrozenStatsBN",
        MODEL__RESNETS__OUT_FEATURES=["res3", "res4", "res5"],
        MODEL__FREQ_INPUT__MODE="8x8",
    )
    norms = [m for m in build_backbone(cfg).modules() if isinstance(m, FrozenBatchNorm2d)]
    assert norms and all(isinstance(m, FrozenStatsBatchNorm2d) for m in norms)


def test_weight_and_bias_decay_as_weights_do():
    """As in the papers' framework, which decays every parameter; GN's would get 0."""
    layer = nn.Sequential(FrozenStatsBatchNorm2d(4), nn.GroupNorm(2, 4))
    groups = get_default_optimizer_params(layer, weight_decay=1e-4, weight_decay_norm=0.0)
    decay = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    assert [decay[id(p)] for p in layer.parameters()] == [1e-4, 1e-4, 0, 0]
