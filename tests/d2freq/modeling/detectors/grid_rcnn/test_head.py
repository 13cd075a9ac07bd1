"""The grid branch: its size, its fusion by hand, and how it starts."""

import pytest
import torch

from d2freq.errors import UserError
from d2freq.modeling.detectors.grid_rcnn import GridHead
from d2freq.modeling.detectors.grid_rcnn.head import NeighbourFusion


def small(**changed) -> GridHead:
    torch.manual_seed(0)
    options = dict(in_channels=6, resolution=4, point_channels=4, num_conv=2) | changed
    return GridHead(**options)


def test_parameters():
    with torch.device("meta"):
        head = GridHead()
    parts = {
        name: sum(p.numel() for p in part.parameters()) for name, part in head.named_children()
    }
    assert sum(parts.values()) == 23_123_145
    assert parts["first_order"] == parts["second_order"] == 24 * 5_824
    norms = [layer.num_groups for layer in head.modules() if isinstance(layer, torch.nn.GroupNorm)]
    assert norms == [36] * 8 + [9]


def by_hand(fusion: NeighbourFusion, base: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
    """x_p + sum of T_pq(given_q), with a convolution of its own for each pair."""
    found, channels = base.clone(), fusion.channels
    pairs = zip(fusion.receives.argmax(dim=0).tolist(), fusion.neighbour.tolist(), strict=True)
    for number, (point, neighbour) in enumerate(pairs):
        own = slice(number * channels, (number + 1) * channels)
        depthwise, pointwise = fusion.depthwise, fusion.pointwise
        sent = given[:, neighbour * channels : (neighbour + 1) * channels]
        sent = torch.nn.functional.conv2d(
            sent, depthwise.weight[own], depthwise.bias[own], padding=2, groups=channels
        )
        sent = torch.nn.functional.conv2d(sent, pointwise.weight[own], pointwise.bias[own])
        found[:, point * channels : (point + 1) * channels] += sent
    return found


@torch.no_grad()
def test_fusion_by_hand():
    """Second order: neighbours that have heard of theirs, added to the features themselves."""
    head = small().eval()
    regions = torch.randn(3, 6, 4, 4)
    x = head.convs(regions)
    first = by_hand(head.first_order, x, x)
    second = by_hand(head.second_order, x, first)
    maps, plain = head(regions)
    assert plain is None and maps.shape == (3, 9, 8, 8)
    assert torch.allclose(maps, head._maps(second), atol=1e-6)


def test_in_training_the_features_before_fusion_learn_too():
    head = small().train()
    fused, plain = head(torch.randn(2, 6, 4, 4))
    assert fused.shape == plain.shape == (2, 9, 8, 8)
    plain.sum().backward()
    assert head.first_order.depthwise.weight.grad is None
    assert head.deconv1.weight.grad.abs().sum() > 0


def test_it_starts_at_a_probability_of_a_hundredth():
    with torch.no_grad():
        maps, _ = GridHead(num_conv=1, point_channels=8).eval()(torch.randn(4, 256, 14, 14))
    assert maps.shape == (4, 9, 28, 28)
    assert maps.sigmoid().mean().item() == pytest.approx(0.01, rel=0.05)


def test_he_initialisation_of_each_pair():
    """As of separate convolutions: variance 2 / (25 c) and 2 / c."""
    fusion = GridHead(num_conv=1).first_order
    for layer, fan in ((fusion.depthwise, 25 * 64), (fusion.pointwise, 64)):
        assert layer.weight.std().item() == pytest.approx((2 / fan) ** 0.5, rel=0.02)
        assert not layer.bias.any()


def test_no_region():
    maps, plain = small().train()(torch.zeros(0, 6, 4, 4))
    assert maps.shape == plain.shape == (0, 9, 8, 8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resolution": 7}, "POOLER_RESOLUTION: got 7; give an even number"),
        ({"point_channels": 6}, "POINT_CHANNELS 6 .*multiple of 4"),
        ({"num_conv": 0}, "NUM_CONV 0"),
        ({"points": 5}, "NUM_POINTS: got 5; give a square number"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        small(**options)
