"""A backbone that takes part in a compiled detector as its trace."""

import pytest
import torch
from detectron2.layers import ShapeSpec
from torch import nn

from d2freq.modeling.backbones.scripting import TracedBackbone


class Halving(nn.Module):
    """Maps at half and at a quarter of the size."""

    size_divisibility = 4
    padding_constraints = {"square_size": 0}

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 3, 3, stride=2, padding=1)
        self.second = nn.Conv2d(3, 4, 3, stride=2, padding=1)

    def output_shape(self):
        return {"a": ShapeSpec(channels=3, stride=2), "b": ShapeSpec(channels=4, stride=4)}

    def forward(self, x):
        first = self.first(x)
        return {"a": first, "b": self.second(first)}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_trace_takes_images_of_another_size():
    torch.manual_seed(0)
    backbone = Halving().eval()
    traced = TracedBackbone(backbone, channels=2)
    assert traced.size_divisibility == 4 and traced.padding_constraints == {"square_size": 0}
    images = torch.rand(2, 2, 12, 20)
    found, expected = traced(images), backbone(images)
    assert list(found) == ["a", "b"] and found["b"].shape == (2, 4, 3, 5)
    for name, feature in expected.items():
        torch.testing.assert_close(found[name], feature)
