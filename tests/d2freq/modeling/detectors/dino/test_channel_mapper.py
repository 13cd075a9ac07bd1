import pytest
import torch
from detectron2.structures import ImageList
from torch import nn

from d2freq.errors import UserError
from d2freq.modeling.backbones import MobileNetV2
from d2freq.modeling.detectors.dino import ChannelMapper

SOURCES = ["res3", "res4", "res5"]


def make(**options):
    torch.manual_seed(0)
    return ChannelMapper(MobileNetV2(norm="FrozenBN"), SOURCES, 64, **options).eval()


def test_levels_are_projections_and_the_last_ones_follow_each_other():
    neck = make(extra_levels=2)
    image = torch.randn(1, 3, 96, 65)
    features, found = neck.bottom_up(image), neck(image)
    assert list(found) == list(neck.output_shape()) == ["p3", "p4", "p5", "p6", "p7"]
    group_norm = nn.functional.group_norm
    for name, source in [("3", features["res3"]), ("6", features["res5"]), ("7", found["p6"])]:
        layer = getattr(neck, f"project{name}")
        stride, padding = (1, 0) if name == "3" else (2, 1)
        expected = nn.functional.conv2d(source, layer.weight, layer.bias, stride, padding)
        expected = group_norm(expected, 32, layer.norm.weight, layer.norm.bias)
        torch.testing.assert_close(found[f"p{name}"], expected)
    assert {name: shape.stride for name, shape in neck.output_shape().items()} == {
        "p3": 8, "p4": 16, "p5": 32, "p6": 64, "p7": 128
    }  # fmt: skip


def test_an_image_of_a_padded_batch_gives_what_it_gives_alone():
    neck = make()
    images = [torch.randn(3, 65, 96), torch.randn(3, 96, 40)]
    with torch.no_grad():
        batch = neck(ImageList.from_tensors(images).tensor)
        for place, image in enumerate(images):
            for name, level in neck(image[None]).items():
                height, width = level.shape[-2:]
                both = batch[name][place]
                torch.testing.assert_close(both[:, :height, :width], level[0])
                assert not both[:, height:].any() and not both[:, :, width:].any()


def test_a_bias_is_a_choice():
    assert make(bias=False).project3.bias is None
    assert make(bias=True).project3.bias.tolist() == [0.0] * 64


def test_refuses_features_that_are_not_there():
    with pytest.raises(UserError, match="asks for res6; the backbone gives res2"):
        ChannelMapper(MobileNetV2(), ["res5", "res6"])


def test_refuses_groups_of_one_channel():
    with pytest.raises(UserError, match="32 channels.*OUT_CHANNELS.*a multiple of 32 from 64 on"):
        ChannelMapper(MobileNetV2(), ["res5"], 32)
