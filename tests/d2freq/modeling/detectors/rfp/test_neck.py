"""The recursive pyramid: counts, FPN's pyramid without an effect of the feedback, the figure."""

import pytest
import torch
import torch.nn.functional as F
from detectron2.config import get_cfg
from detectron2.modeling import build_backbone
from detectron2.modeling.backbone import FPN, ResNet
from detectron2.structures import ImageList

from d2freq import add_d2freq_config
from d2freq.errors import UserError
from d2freq.modeling.backbones import MobileNetV2
from d2freq.modeling.detectors.rfp import ASPP, RFP
from d2freq.modeling.detectors.sac import SACResNet

from ..small_networks import STAGES, count, disturb, network, parts_of, pyramid

LEVELS = ["p2", "p3", "p4", "p5", "p6"]
OWN = {"rfp_aspp", "rfp_feedback", "rfp_weight"}


def neck(kind=ResNet, *, more=1, **options):
    """RFP with ``more`` ResNets behind the first, on an ASPP of four channels a branch."""
    again = [network(kind) for _ in range(more)]
    return pyramid(RFP, network(kind), again=again, aspp_channels=4, **options)


def build(*words):
    cfg = get_cfg()
    add_d2freq_config(cfg)
    usual = ("MODEL.RESNETS.OUT_FEATURES", STAGES, "MODEL.FPN.IN_FEATURES", STAGES)
    usual += ("MODEL.RESNETS.STRIDE_IN_1X1", False)
    cfg.merge_from_list([*usual, "MODEL.BACKBONE.NAME", "build_detectors_backbone", *words])
    with torch.device("meta"):
        return build_backbone(cfg)


def test_parameters():
    """Counted on the published neck; its own backbone comes on top of the first."""
    ours = build()
    assert count(ours) == 38_324_385 + 42_918_050
    assert count(ours.rfp_aspp) == 327_936 and count(ours.rfp_weight) == 257
    assert count(ours.rfp_feedback) == 921_088
    off = ("MODEL.DETECTORS.SAC_ON_PER_STAGE", [False] * 4)
    plain = build(*off, "MODEL.DETECTORS.WEIGHT_STANDARDIZATION", False)
    assert count(plain) == 23_454_912 + 28_048_577
    shared = build("MODEL.DETECTORS.RFP_SHARING", True, "MODEL.DETECTORS.RFP_STEPS", 3)
    assert count(shared) == 38_324_385 + 42_918_050 - 38_324_385 and shared.steps == 3


@pytest.mark.parametrize(("kind", "fuse"), [(ResNet, "sum"), (ResNet, "avg"), (SACResNet, "sum")])
def test_without_an_effect_of_the_feedback_it_is_the_fpn(kind, fuse):
    """To the last bit, from the FPN's weights: the second ResNet takes the first one's."""
    fpn = pyramid(FPN, network(kind), fuse_type=fuse)
    rfp = neck(kind, fuse_type=fuse)
    missing = rfp.load_state_dict(fpn.state_dict(), strict=False).missing_keys
    assert parts_of(missing) == OWN
    x = torch.randn(2, 3, 96, 128)
    with torch.no_grad():
        wanted, found = fpn(x), rfp(x)
        assert list(found) == list(wanted) == LEVELS
        assert all(torch.equal(found[name], wanted[name]) for name in LEVELS)
        disturb(rfp.rfp_feedback)
        assert not any(torch.allclose(rfp(x)[name], wanted[name], atol=1e-3) for name in LEVELS)


@pytest.mark.parametrize(("steps", "more"), [(2, 1), (3, 2), (3, 0)])
def test_the_figure_written_out(steps, more):
    """Each pass by hooks that add the feedback to what a block has in its shortcut."""
    rfp = neck(more=more, steps=steps)
    for part in (rfp.rfp_feedback, rfp.rfp_aspp, rfp.rfp_weight):
        disturb(part, std=0.3)
    fpn = pyramid(FPN, network())
    fpn.load_state_dict({k: v for k, v in rfp.state_dict().items() if not k.startswith("rfp_")})
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        wanted = fpn(x)
        for step in range(steps - 1):
            if more:
                other = rfp.rfp_bottom_up[step]
                ours = {theirs: other.state_dict()[name] for theirs, name in other.names()}
                fpn.bottom_up.load_state_dict(ours)
            hooks = []
            for stage, level in zip(STAGES[1:], LEVELS[1:], strict=False):
                layer = rfp.rfp_feedback[step if more else 0][stage]
                added = layer(rfp.rfp_aspp(wanted[level]))
                shortcut = getattr(fpn.bottom_up, stage)[0].shortcut
                hooks.append(shortcut.register_forward_hook(lambda _, __, y, more=added: y + more))
            new = fpn(x)
            for hook in hooks:
                hook.remove()
            for name in LEVELS:
                weight = torch.sigmoid(rfp.rfp_weight(new[name]))
                wanted[name] = weight * new[name] + (1 - weight) * wanted[name]
        found = rfp(x)
    for name in LEVELS:
        assert torch.allclose(found[name], wanted[name], rtol=1e-4, atol=1e-4), name


def test_images_of_several_sizes_give_what_each_gives_alone():
    rfp = neck(SACResNet)
    disturb(rfp)
    images = [torch.randn(3, 96, 128), torch.randn(3, 128, 96)]
    with torch.no_grad():
        together = rfp(ImageList.from_tensors(images, 32).tensor)
        for place, image in enumerate(images):
            for name, alone in rfp(image[None]).items():
                height, width = alone.shape[-2:]
                found = together[name][place, :, :height, :width]
                assert torch.allclose(found, alone[0], rtol=1e-4, atol=1e-4)


def test_aspp_by_hand():
    aspp, x = ASPP(6, channels=2, dilations=(1, 3, 1)), torch.randn(2, 6, 5, 7)
    near, wide, mean = aspp.branches
    whole = F.conv2d(x.mean((2, 3), keepdim=True), mean.weight, mean.bias).expand(-1, -1, 5, 7)
    local = F.conv2d(x, near.weight, near.bias)
    far = F.conv2d(x, wide.weight, wide.bias, padding=3, dilation=3)
    assert torch.allclose(aspp(x), F.relu(torch.cat([local, far, whole], 1)), atol=1e-6)


def test_how_the_feedback_starts():
    for init, none in (("zero", True), ("default", False)):
        rfp = neck(init=init)
        assert none != any(p.detach().any() for p in rfp.rfp_feedback.parameters())
        assert not any(p.detach().any() for p in rfp.rfp_weight.parameters())
    wide = pyramid(RFP, network(), again=[network()], aspp_channels=64).rfp_aspp.branches[1]
    # of "zero" ASPP's weights have the variance 2 / (k^2 x channels)
    assert float(wide.weight.detach().std()) == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.05)
    assert not wide.bias.detach().any()


def test_every_parameter_learns():
    rfp = neck(SACResNet).train()
    for part in (rfp.rfp_feedback, rfp.rfp_weight):
        disturb(part)
    sum(level.square().mean() for level in rfp(torch.randn(1, 3, 96, 96)).values()).backward()
    assert all(p.grad is not None for p in rfp.parameters())
    idle = {name for name, p in rfp.named_parameters() if not p.grad.any()}
    # behind a switch that stands at 1 the far branch has no part yet
    assert idle and all("weight_diff" in name or "offset_l" in name for name in idle)


def test_a_checkpoint_of_its_own_keeps_the_second_resnet():
    first, second = neck(SACResNet), neck(SACResNet)
    disturb(first)
    second.load_state_dict(first.state_dict())  # strict
    x = torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        wanted, found = first(x), second(x)
    assert all(torch.equal(found[name], wanted[name]) for name in LEVELS)
    damaged = first.state_dict()
    del damaged["rfp_bottom_up.0.stage4.0.conv1.weight"]
    missing = second.load_state_dict(damaged, strict=False).missing_keys
    assert "rfp_bottom_up.0.stage4.0.conv1.weight" in missing


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("RFP_STEPS", 1, "RFP of 1 steps .MODEL.DETECTORS.RFP_STEPS"),
        ("RFP_INIT", "zeros", "RFP_INIT.*'zeros' is unknown.*zero"),
        ("ASPP_DILATIONS", [1, 3, 6], r"ASPP_DILATIONS \[1, 3, 6\].*last of them 1"),
        ("ASPP_DILATIONS", [1], "two or more"),
        ("ASPP_CHANNELS", 0, "ASPP_CHANNELS 0"),
    ],
)
def test_bad_keys_are_refused(key, value, said):
    with pytest.raises(UserError, match=said):
        build(f"MODEL.DETECTORS.{key}", value)


def test_another_number_of_resnets_is_refused():
    with pytest.raises(UserError, match="RFP of 2 steps .* with 2 more ResNets"):
        neck(more=2)


def test_networks_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="stages of a ResNet, and not of a MobileNetV2"):
        pyramid(RFP, MobileNetV2(norm="BN"))
    other = network()
    other._out_feature_channels = {**other._out_feature_channels, "res4": 24}
    with pytest.raises(UserError, match="unequal shapes"):
        pyramid(RFP, network(), again=[other])
