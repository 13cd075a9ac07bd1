"""Images of several sizes in one padded batch give what each of them gives alone."""

import copy

import pytest
import torch
from detectron2.config import get_cfg
from detectron2.modeling import build_model
from detectron2.structures import Boxes, ImageList, Instances
from detectron2.utils.events import EventStorage
from torch import nn

from d2freq import add_d2freq_config
from d2freq.modeling.backbones.extents import Extents, extents_of, is_batch_norm_training
from d2freq.modeling.frequency_input import DCTStem

LEVELS = ["res2", "res3", "res4", "res5"]
COMMON = [
    *("MODEL.DEVICE", "cpu", "MODEL.RESNETS.DEPTH", 18, "MODEL.RESNETS.RES2_OUT_CHANNELS", 64),
    *("MODEL.RESNETS.OUT_FEATURES", LEVELS, "MODEL.FPN.IN_FEATURES", LEVELS),
    *("MODEL.FPN.OUT_CHANNELS", 32, "MODEL.RPN.IN_FEATURES", ["p2", "p3", "p4", "p5", "p6"]),
    *("MODEL.ROI_HEADS.IN_FEATURES", ["p2", "p3", "p4", "p5"], "MODEL.ROI_BOX_HEAD.NUM_FC", 1),
    *("MODEL.ANCHOR_GENERATOR.SIZES", [[8], [16], [32], [64], [128]]),
    *("MODEL.FCOS.IN_FEATURES", ["p2", "p3", "p4", "p5"], "MODEL.ROI_BOX_HEAD.FC_DIM", 16),
    *("MODEL.ROI_HEADS.NUM_CLASSES", 3, "MODEL.FCOS.NUM_CLASSES", 3, "MODEL.SET.DETECTOR", "FCOS"),
    *("MODEL.RPN.POST_NMS_TOPK_TRAIN", 50, "MODEL.RESNETS.STEM_OUT_CHANNELS", 64),
    *("MODEL.ROI_BOX_HEAD.NAME", "FastRCNNConvFCHead", "MODEL.ROI_HEADS.NAME", "StandardROIHeads"),
]
SIZES = [(96, 128), (64, 64), (70, 33), (64, 64), (33, 160)]  # two alike; odd windows at P2 of some
HSFPN, DCT = "build_resnet_hsfpn_backbone", "build_resnet_dct_hsfpn_backbone"


def build(meta_arch="GeneralizedRCNN", backbone=HSFPN, *options):
    cfg = get_cfg()
    add_d2freq_config(cfg)
    names = ["MODEL.META_ARCHITECTURE", meta_arch, "MODEL.BACKBONE.NAME", backbone]
    cfg.merge_from_list([*COMMON, *names, *options])
    model = build_model(cfg)
    for layer in model.modules():  # as trained: a fresh norm maps the padding's zeros to zeros
        if isinstance(getattr(layer, "running_mean", None), torch.Tensor):
            layer.running_mean.normal_()
            nn.init.normal_(layer.bias, std=0.3)
    return model


def records(sizes, targets=False):
    source = torch.Generator().manual_seed(0)
    found = []
    for size in sizes:
        found.append({"image": torch.rand(3, *size, generator=source) * 255})
        if targets:
            truth = Instances(size, gt_boxes=Boxes(torch.tensor([[3.0, 4, 14, 17]])))
            truth.gt_classes = torch.tensor([1])
            found[-1]["instances"] = truth
    return found


def seen_by_heads(model, batch):
    """Levels that the detector's heads get of a batch."""
    seen = {}
    hook = model.backbone.register_forward_hook(lambda *call: seen.update(call[2]))
    if model.training:
        with EventStorage():
            model(batch)
    else:
        with torch.no_grad():
            model(batch)
    hook.remove()
    return seen


def relative(found, expected):
    return float((found - expected).detach().norm() / expected.detach().norm())


def assert_alone_is_the_same(model, batch):
    together = seen_by_heads(model, batch)
    for place, record in enumerate(batch):
        for name, alone in seen_by_heads(model, [record]).items():
            height, width = alone.shape[-2:]
            mine = together[name][place]
            assert relative(mine[:, :height, :width], alone[0]) < 1e-5, (place, name)
            assert mine[:, height:].abs().sum() == mine[:, :, width:].abs().sum() == 0


@pytest.mark.parametrize(
    ("meta_arch", "backbone", "options"),
    [
        ("GeneralizedRCNN", HSFPN, []),
        ("GeneralizedRCNN", HSFPN, ["MODEL.HSFPN.PRESET", "released"]),
        ("FCOS", HSFPN, []),
        ("SET", HSFPN, []),
        ("GeneralizedRCNN", DCT, ["MODEL.PIXEL_MEAN", [128.0] * 3]),
    ],
    ids=["faster", "released", "fcos", "set", "dct"],
)
def test_levels_of_a_mixed_batch_are_those_of_each_image(meta_arch, backbone, options):
    assert_alone_is_the_same(build(meta_arch, backbone, *options).eval(), records(SIZES))


@pytest.mark.parametrize("meta_arch", ["GeneralizedRCNN", "SET"])
def test_in_training_too_and_the_gradient_is_the_sum_of_theirs(meta_arch):
    model = build(meta_arch, HSFPN, "MODEL.HSFPN.USE_ACT_CHECKPOINT", meta_arch == "SET").train()
    batch = records(SIZES[:3], targets=True)
    assert_alone_is_the_same(model, batch)

    def gradient(groups):
        model.zero_grad()
        for group in groups:
            pyramid = model.backbone(model.preprocess_image(group).tensor)
            sum(level.square().sum() for level in pyramid.values()).backward()
        named = model.backbone.named_parameters()
        return {name: p.grad.clone() for name, p in named if p.grad is not None}

    together, one_by_one = gradient([batch]), gradient([[record] for record in batch])
    for name, expected in one_by_one.items():
        assert relative(together[name], expected) < 1e-4, name


def test_a_batch_of_one_size_goes_through_as_one(monkeypatch):
    """So that it stays what it was bit by bit, however its images are padded."""
    model = build().eval()
    calls = []
    monkeypatch.setattr(Extents, "apply", lambda *arguments: calls.append(arguments))
    batch = records([(64, 90), (60, 96), (64, 64 + 1)])
    assert seen_by_heads(model, batch)["p2"].shape == (3, 32, 16, 24) and not calls


def test_while_batch_norm_trains_hfp_and_sdp_look_at_each_image_alone():
    """The rest sees statistics of the batch, which no image has alone."""
    model = build(
        "GeneralizedRCNN", HSFPN, "MODEL.RESNETS.NORM", "BN", "MODEL.BACKBONE.FREEZE_AT", 0
    )
    model.train()
    assert is_batch_norm_training(model.backbone)
    seen = []
    neck = model.backbone
    for part in (neck.fpn_hfp2, neck.fpn_sdp2):
        part.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape))
    pyramid = seen_by_heads(model, records(SIZES[:3], targets=True))
    assert pyramid["p2"].shape == (3, 32, 24, 32)
    sizes = [(1, 32, 24, 32), (1, 32, 16, 16), (1, 32, 24, 16)]
    assert seen == sizes * 2
    model.eval()
    assert not is_batch_norm_training(model.backbone)


def test_a_norm_of_the_batch_within_sdp_gets_the_whole_batch():
    model = build("GeneralizedRCNN", HSFPN, "MODEL.HSFPN.SDP_NORM", "BN").train()
    seen = []
    model.backbone.fpn_sdp2.register_forward_hook(lambda _, x, __: seen.append(x[0].shape))
    seen_by_heads(model, records(SIZES[:2], targets=True))
    assert seen == [(2, 32, 24, 32)]


@pytest.mark.parametrize("mode", ["x2", "8x8", "8x8-420"])
def test_blocks_at_the_border_of_a_smaller_image_repeat_its_own_pixels(mode):
    """Behind a plain FPN, which runs the batch as one, the stem alone is exact."""
    stem = DCTStem(mode=mode, channels="24")
    images = [record["image"] for record in records([(96, 128), (64, 64)])]
    both, alone = (ImageList.from_tensors(part, 32).tensor for part in (images, images[1:]))
    assert (
        relative(
            stem(both)[1:, :, : alone.shape[2] // stem.stride, : alone.shape[3] // stem.stride],
            stem(alone),
        )
        < 1e-6
    )


def test_what_a_batch_tells_of_its_images():
    images = [torch.zeros(3, 30, 70), torch.zeros(3, 64, 20)]
    found = extents_of(ImageList.from_tensors(images, 32).tensor)
    assert found.padded == (64, 96) and dict(found.groups) == {(32, 96): [0], (64, 32): [1]}
    assert extents_of(ImageList.from_tensors(images[:1], 32).tensor) is None
    square = ImageList.from_tensors(images, 32, padding_constraints={"square_size": 128})
    assert square.tensor.shape[-2:] == (128, 128) and extents_of(square.tensor) is None
    stricter = ImageList.from_tensors(images, padding_constraints={"size_divisibility": 64})
    assert dict(extents_of(stricter.tensor).groups) == {(64, 128): [0], (64, 64): [1]}
    assert extents_of(torch.zeros(2, 3, 64, 96)) is None


def test_detectors_are_copied_and_pickled_as_ever():
    model = copy.deepcopy(build().eval())
    assert_alone_is_the_same(model, records(SIZES[:2]))
