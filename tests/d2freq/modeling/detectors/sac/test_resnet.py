"""ResNets with switchable convolutions: counts, a plain one's maps, images of several sizes."""

import pytest
import torch
from detectron2.config import get_cfg
from detectron2.layers import FrozenBatchNorm2d
from detectron2.modeling import build_backbone
from detectron2.modeling.backbone import ResNet
from detectron2.structures import ImageList

from d2freq import add_d2freq_config
from d2freq.errors import UserError
from d2freq.modeling.detectors.sac import SACResNet

from ..small_networks import CHANNELS, STAGES, count, disturb, network


def build(name, *words):
    cfg = get_cfg()
    add_d2freq_config(cfg)
    usual = ("MODEL.RESNETS.OUT_FEATURES", STAGES, "MODEL.FPN.IN_FEATURES", STAGES)
    usual += ("MODEL.RESNETS.STRIDE_IN_1X1", False)
    cfg.merge_from_list([*usual, "MODEL.BACKBONE.NAME", name, *words])
    return build_backbone(cfg)


def test_parameters():
    """Counted on the published model, less the affine parameters of its batch norms."""
    with torch.device("meta"):
        backbone = build("build_resnet_sac_backbone")
        with_fpn = build("build_resnet_sac_fpn_backbone")
        with_hs_fpn = build("build_resnet_sac_hsfpn_backbone")
        released = build("build_resnet_sac_hsfpn_backbone", "MODEL.HSFPN.PRESET", "released")
    assert count(backbone) == 38_324_385 and count(backbone, trained=True) == 38_324_385 - 222_400
    assert count(with_fpn) == 38_324_385 + 3_344_384
    assert count(with_hs_fpn) == 38_324_385 + 6_127_616
    assert count(released) == 38_324_385 + 6_119_936
    added = [buffer for name, buffer in backbone.named_buffers() if "weight_" in name]
    assert sum(buffer.numel() for buffer in added) == 53_120


def test_with_a_plain_resnets_weights_it_is_that_resnet():
    plain, ours = build("build_resnet_backbone"), build("build_resnet_sac_backbone")
    for name, buffer in plain.named_buffers():  # norms as a trained ResNet has them
        buffer.uniform_(*((-0.1, 0.1) if name.endswith(("bias", "mean")) else (0.3, 0.9)))
    missing = ours.load_state_dict(plain.state_dict(), strict=False).missing_keys
    assert missing and all(".conv2." in name for name in missing)  # of SAC alone
    assert not any("gamma" in name or "beta" in name for name in missing)
    x = torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        wanted, found = plain(x), ours(x)
    for name in STAGES:
        assert (found[name] - wanted[name]).abs().max() <= 3e-6 * wanted[name].abs().max(), name


def test_from_random_weights_frozen_norms_see_the_plain_resnets_maps():
    """With gamma 1 and beta 0 filters would be many times as large, and FrozenBN keeps that."""
    maps, x = [], torch.randn(1, 3, 96, 96)
    for kind in (ResNet, SACResNet):
        torch.manual_seed(0)
        model = network(kind)
        assert isinstance(model.res5[0].conv2.norm, FrozenBatchNorm2d)
        with torch.no_grad():
            maps.append(model(x)["res5"])
    assert torch.allclose(maps[0], maps[1], rtol=1e-4, atol=1e-5)


def test_all_off_it_is_a_plain_resnet():
    plain = network()
    ours = network(SACResNet, sac_on_per_stage=[False] * 4, weight_standardization=False)
    ours.load_state_dict(plain.state_dict())  # strict
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        wanted, found = plain(x), ours(x)
    assert all(torch.equal(found[name], wanted[name]) for name in STAGES)


def test_what_is_frozen_stays_frozen():
    ours = network(SACResNet, norm="BN", freeze_at=3, sac_on_per_stage=[True] * 4)
    assert not any(p.requires_grad for p in [*ours.res3.parameters(), *ours.stem.parameters()])
    assert all(p.requires_grad for p in ours.res4.parameters())
    assert isinstance(ours.res2[0].conv2.norm, FrozenBatchNorm2d)


@pytest.mark.parametrize("norm", ["FrozenBN", "BN"])
def test_images_of_several_sizes_give_what_each_gives_alone(norm):
    """A batch norm in training sees the whole batch, so then the batch goes as one."""
    ours = network(SACResNet, norm=norm)
    for name, part in ours.named_modules():
        if name.endswith(("context", "switch", "offset_s", "offset_l")):
            disturb(part)
    images = [torch.randn(3, 96, 128), torch.randn(3, 128, 96)]
    batch = ImageList.from_tensors(images, 32).tensor
    with torch.no_grad():
        if norm == "BN":
            together, whole = ours.train()(batch), ResNet.forward(ours, batch)
            assert all(torch.equal(together[name], whole[name]) for name in STAGES)
            return
        together = ours(batch)
        for place, image in enumerate(images):
            alone = ours(image[None])
            for name in STAGES:
                height, width = alone[name].shape[-2:]
                found = together[name][place, :, :height, :width]
                assert torch.allclose(found, alone[name][0], atol=1e-5)
                assert not together[name][place, :, height:].any()


def test_a_trace_serves_other_sizes():
    """Its example has four cells a side: SAC takes no two."""
    ours = network(SACResNet).eval()
    traced = ours.__prepare_scriptable__()
    x = torch.randn(1, 3, 96, 160)
    with torch.no_grad():
        found, wanted = traced(x), ours(x)
    assert [found[name].shape[1] for name in STAGES] == CHANNELS
    assert all(torch.allclose(found[name], wanted[name], atol=1e-4) for name in STAGES)


def test_flags_for_other_stages_are_refused():
    with pytest.raises(UserError, match="SAC_ON_PER_STAGE.*3 flags for 4 stages"):
        network(SACResNet, sac_on_per_stage=[True] * 3)
    with torch.device("meta"), pytest.raises(UserError, match="5 flags for 4 stages"):
        build("build_resnet_sac_backbone", "MODEL.DETECTORS.SAC_ON_PER_STAGE", [True] * 5)


def test_stages_that_are_not_built_keep_their_flags():
    with torch.device("meta"):
        short = build("build_resnet_sac_backbone", "MODEL.RESNETS.OUT_FEATURES", STAGES[:3])
    assert count(short) < 30e6 and hasattr(short.res4[0].conv2, "switch")
