"""Offsets of an adaptive convolution, and what it reads."""

import pytest
import torch

from d2freq.modeling.detectors.cascade_rpn import AdaptiveConv, adaptive_offsets


def squares(scale: float, height: int, width: int, stride: int = 4) -> torch.Tensor:
    """(1, H * W, 4) anchors of so many strides, centred at their cells."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centres = torch.stack([x, y, x, y], dim=-1).reshape(1, -1, 4) * float(stride)
    half = scale * stride / 2
    return centres + torch.tensor([-half, -half, half, half])


def test_anchors_of_two_strides_move_nothing():
    assert (adaptive_offsets(squares(2, 3, 5), height=3, width=5, stride=4) == 0).all()


def test_anchors_of_eight_strides():
    """The vector of the published code: taps four cells apart."""
    found = adaptive_offsets(squares(8, 3, 5), height=3, width=5, stride=4)
    wanted = [-3, -3, -3, 0, -3, 3, 0, -3, 0, 0, 0, 3, 3, -3, 3, 0, 3, 3]
    assert found.shape == (1, 18, 3, 5)
    assert (found == torch.tensor(wanted, dtype=torch.float32)[:, None, None]).all()


def test_any_anchor_by_hand():
    torch.manual_seed(0)
    corners = torch.rand(2, 12, 4, dtype=torch.float64).sort(dim=2).values * 30
    anchors = corners[:, :, [0, 1, 2, 3]]
    found = adaptive_offsets(anchors, height=3, width=4, stride=4)
    for image in range(2):
        for i in range(3):
            for j in range(4):
                x1, y1, x2, y2 = anchors[image, i * 4 + j].tolist()
                wanted = []
                for dy in (-1, 0, 1):
                    for dx in (-1, 0, 1):
                        wanted.append((y1 + y2) / 2 / 4 - i + dy * ((y2 - y1) / 8 - 1))
                        wanted.append((x1 + x2) / 2 / 4 - j + dx * ((x2 - x1) / 8 - 1))
                assert found[image, :, i, j].tolist() == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(("scale", "dilation"), [(2, 1), (4, 2), (8, 4)])
def test_on_squares_it_is_a_dilated_convolution(scale, dilation):
    torch.manual_seed(0)
    layer, x = AdaptiveConv(3, 5), torch.randn(1, 3, 9, 11)
    offsets = adaptive_offsets(squares(scale, 9, 11), height=9, width=11, stride=4)
    plain = torch.nn.functional.conv2d(x, layer.weight, padding=dilation, dilation=dilation)
    assert torch.allclose(layer(x, offsets), plain, atol=1e-6)


def test_the_outer_taps_read_at_the_edges_of_the_anchor():
    """On a map whose values are its columns, a tap gives back where it reads."""
    layer = AdaptiveConv(1, 1)
    columns = torch.arange(9.0).expand(1, 1, 9, 9)
    anchors = torch.tensor([[[6.0, 9.0, 23.0, 27.0]]]).expand(1, 81, 4)
    offsets = adaptive_offsets(anchors, height=9, width=9, stride=4)
    for tap, edge in ((3, 6.0), (4, 14.5), (5, 23.0)):
        with torch.no_grad():
            layer.weight.zero_()
            layer.weight.view(-1)[tap] = 1.0
        assert torch.allclose(layer(columns, offsets), torch.tensor(edge / 4), atol=1e-5)


def test_half_precision_keeps_its_kind():
    layer = AdaptiveConv(4, 4)
    x, offsets = torch.randn(1, 4, 5, 6), torch.randn(1, 18, 5, 6)
    whole = layer(x, offsets)
    half = layer.bfloat16()(x.bfloat16(), offsets)
    assert half.dtype == torch.bfloat16 and torch.allclose(half.float(), whole, atol=1e-2)
