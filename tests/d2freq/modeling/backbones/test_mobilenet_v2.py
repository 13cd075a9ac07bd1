"""MobileNetV2 against torchvision's: features, weights, freezing, and detectors on top of it."""

import copy

import pytest
import torch
import torchvision
from detectron2.config import LazyCall, get_cfg, instantiate
from detectron2.layers import FrozenBatchNorm2d, ShapeSpec
from detectron2.modeling import build_backbone, build_model
from detectron2.modeling.backbone.fpn import LastLevelMaxPool
from detectron2.structures import Boxes, Instances
from detectron2.utils.events import EventStorage

from d2freq import add_d2freq_config
from d2freq.engine.weights.strict import StrictCheckpointer
from d2freq.errors import UserError
from d2freq.modeling.backbones import FPN, MobileNetV2, build_mobilenetv2_backbone
from d2freq.modeling.hs_fpn import HSFPN

STAGES = ["res2", "res3", "res4", "res5"]
NECKS = {"build_mobilenetv2_fpn_backbone": FPN, "build_mobilenetv2_hsfpn_backbone": HSFPN}


@pytest.fixture(scope="module")
def reference():
    """A torchvision network, its statistics and affine parameters as if trained."""
    torch.manual_seed(0)
    network = torchvision.models.mobilenet_v2()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    return network.eval()


def config(name="build_mobilenetv2_backbone", *overrides):
    cfg = get_cfg()
    add_d2freq_config(cfg)
    cfg.merge_from_list(
        ["MODEL.BACKBONE.NAME", name, "MODEL.BACKBONE.FREEZE_AT", 2, "MODEL.DEVICE", "cpu"]
        + ["MODEL.FPN.IN_FEATURES", STAGES, "MODEL.FPN.OUT_CHANNELS", 32]
        + list(overrides)
    )
    return cfg


@pytest.mark.parametrize("norm", ["FrozenBN", "BN"])
def test_features_are_those_of_torchvision(reference, norm):
    ours = MobileNetV2(out_features=["stem", *STAGES], norm=norm).eval()
    state = reference.state_dict()
    loaded = ours.load_state_dict(state, strict=False)
    assert not loaded.missing_keys
    allowed = ("classifier.1.weight", "classifier.1.bias", "num_batches_tracked")
    assert all(key.endswith(allowed) for key in loaded.unexpected_keys)
    x = torch.randn(2, 3, 70, 97)
    found = ours(x)
    assert list(found) == ["stem", *STAGES]
    ends = dict(zip(found, (2, 4, 7, 14, 19), strict=True))
    with torch.no_grad():
        for name, shape in ours.output_shape().items():
            expected = reference.features[: ends[name]](x)
            torch.testing.assert_close(found[name], expected, rtol=1e-4, atol=1e-4)
            assert expected.shape[1] == shape.channels
            sides = [-(-side // shape.stride) for side in x.shape[-2:]]
            assert list(expected.shape[-2:]) == sides


def test_the_neck_gets_the_paper_s_inputs():
    shapes = MobileNetV2().output_shape()
    assert [shapes[name].channels for name in STAGES] == [24, 32, 96, 1280]
    assert [shapes[name].stride for name in STAGES] == [4, 8, 16, 32]


def test_layers_behind_the_last_feature_are_dropped():
    network = MobileNetV2(out_features=["res3", "stem"])
    assert len(network.features) == 7
    assert set(network(torch.zeros(1, 3, 32, 32))) == {"stem", "res3"}


@pytest.mark.parametrize("freeze_at, layers", [(0, 0), (1, 2), (2, 4), (3, 7), (5, 19), (9, 19)])
def test_freezing_fixes_whole_stages(freeze_at, layers):
    network = MobileNetV2(norm="BN", freeze_at=freeze_at).train()
    before = copy.deepcopy(network.state_dict())
    x = torch.rand(2, 3, 64, 64)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    if layers < 19:
        sum(feature.square().sum() for feature in network(x).values()).backward()
    else:
        network(x)
    optimizer.step()
    for key, value in network.state_dict().items():
        is_fixed = int(key.split(".")[1]) < layers
        assert torch.equal(value, before[key]) == is_fixed, key
    kinds = [
        {type(module) for module in layer.modules()} & {torch.nn.BatchNorm2d, FrozenBatchNorm2d}
        for layer in network.features
    ]
    expected = [{FrozenBatchNorm2d}] * layers + [{torch.nn.BatchNorm2d}] * (19 - layers)
    assert kinds == expected


def lazy(name):
    bottom_up = LazyCall(MobileNetV2)(out_features=STAGES, norm="FrozenBN", freeze_at=2)
    return LazyCall(NECKS[name])(
        bottom_up=bottom_up,
        in_features=STAGES,
        out_channels=32,
        norm="",
        top_block=LazyCall(LastLevelMaxPool)(),
    )


@pytest.mark.parametrize("name", NECKS)
def test_yaml_and_lazy_config_build_the_same(name):
    models = []
    for build in (lambda: build_backbone(config(name)), lambda: instantiate(lazy(name))):
        torch.manual_seed(0)
        models.append(build())
    ours, theirs = models
    assert type(ours) is type(theirs) is NECKS[name]
    assert list(ours.output_shape()) == ["p2", "p3", "p4", "p5", "p6"]
    weights = theirs.state_dict()
    assert list(ours.state_dict()) == list(weights)
    assert all(torch.equal(value, weights[key]) for key, value in ours.state_dict().items())
    fixed = [[n for n, p in model.named_parameters() if not p.requires_grad] for model in models]
    assert fixed[0] == fixed[1] != []


def detector(name, *overrides):
    small = ["MODEL.META_ARCHITECTURE", "GeneralizedRCNN", "MODEL.ROI_HEADS.NUM_CLASSES", 2]
    small += ["MODEL.ROI_HEADS.NAME", "StandardROIHeads", "MODEL.ROI_HEADS.IN_FEATURES", ["p2"]]
    small += ["MODEL.ROI_BOX_HEAD.NAME", "FastRCNNConvFCHead", "MODEL.ROI_BOX_HEAD.NUM_FC", 1]
    small += ["MODEL.ROI_BOX_HEAD.FC_DIM", 16, "MODEL.RPN.IN_FEATURES", ["p2", "p6"]]
    return build_model(config(name, *small, *overrides))


@pytest.mark.parametrize("name", NECKS)
def test_weights_of_torchvision_load_into_a_detector(name, reference, tmp_path):
    path = tmp_path / "mobilenet_v2.pth"
    torch.save(reference.state_dict(), path)
    model = detector(name)
    StrictCheckpointer(model).load(str(path))
    features = model.backbone.bottom_up.features.state_dict()
    assert len(features) == 5 * 52  # a convolution and four tensors of a norm, each
    for key, value in features.items():
        assert torch.equal(value, reference.features.state_dict()[key]), key


@pytest.mark.parametrize("name", NECKS)
def test_a_detector_trains_a_step_and_infers(name):
    model = detector(name, "MODEL.MOBILENETV2.NORM", "BN").train()
    target = Instances((64, 64), gt_classes=torch.tensor([1]))
    target.gt_boxes = Boxes(torch.tensor([[8.0, 8, 30, 28]]))
    batch = [{"image": torch.randint(0, 256, (3, 64, 64)), "instances": target}] * 2
    before = {key: value.clone() for key, value in model.named_parameters()}
    with EventStorage():
        losses = model(batch)
    sum(losses.values()).backward()
    torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-3).step()
    assert all(torch.isfinite(loss) for loss in losses.values())
    fixed = {f"backbone.bottom_up.features.{i}." for i in range(4)}
    for key, value in model.named_parameters():
        if key.startswith("backbone.bottom_up"):
            is_fixed = any(key.startswith(prefix) for prefix in fixed)
            assert torch.equal(value, before[key]) == is_fixed, key
    with torch.no_grad():
        assert "instances" in model.eval()(batch[:1])[0]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"out_features": ["res6"]}, r"stem, res2, .*MODEL.MOBILENETV2.OUT_FEATURES.*'res6'"),
        ({"out_features": []}, "OUT_FEATURES"),
        ({"norm": "GN"}, "MODEL.MOBILENETV2.NORM.*'GN'.*FrozenBN, FrozenStatsBN, BN, SyncBN"),
    ],
)
def test_bad_settings_are_named(options, message):
    with pytest.raises(UserError, match=message):
        MobileNetV2(**options)


@pytest.mark.parametrize("channels", [1, 4])
def test_images_of_other_channels_have_a_first_convolution_of_their_own(channels):
    model = build_mobilenetv2_backbone(config(), ShapeSpec(channels=channels))
    first = next(module for module in model.modules() if isinstance(module, torch.nn.Conv2d))
    assert first.in_channels == channels
    assert model(torch.zeros(1, channels, 64, 64))
