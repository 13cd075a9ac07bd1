"""ROIAlign with a sparse gradient against torchvision's own, and against finite differences."""

import pytest
import torch
from torchvision.ops import roi_align as reference

from d2freq.ops.region_pooling import pooling_matrix, roi_align


def make_regions(count: int = 40) -> torch.Tensor:
    """Regions of three images of 96 x 80 pixels, some beyond the border, some large."""
    corner = torch.rand(count, 2) * 110 - 10
    extent = torch.rand(count, 2) * 60
    image = torch.randint(3, (count, 1)).float()
    return torch.cat([image, corner, corner + extent], dim=1)


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("sampling_ratio", [0, 2])
def test_values_equal_torchvisions_and_gradients_to_rounding(aligned, sampling_ratio):
    x, regions = torch.randn(3, 8, 20, 24), make_regions()
    how = ((7, 5), 0.25, sampling_ratio, aligned)
    seen = []
    for function in (reference, roi_align):
        leaf = x.clone().requires_grad_()
        pooled = function(leaf, regions, *how)
        weight = torch.linspace(-1, 1, pooled.numel()).view_as(pooled)
        seen.append((pooled, *torch.autograd.grad((pooled * weight).sum(), leaf)))
    assert torch.equal(seen[0][0], seen[1][0])
    torch.testing.assert_close(seen[0][1], seen[1][1], atol=1e-5, rtol=1e-5)


def test_the_matrix_is_what_roi_align_does():
    x, regions = torch.randn(3, 2, 20, 24, dtype=torch.float64), make_regions(6).double()
    matrix = pooling_matrix(regions, (3, 20, 24), (3, 4), 0.25, 0, True)
    table = x.permute(0, 2, 3, 1).reshape(-1, 2)
    pooled = (matrix @ table).reshape(6, 3, 4, 2).permute(0, 3, 1, 2)
    torch.testing.assert_close(pooled, reference(x, regions, (3, 4), 0.25, 0, True))


@pytest.mark.parametrize("aligned", [True, False])
def test_gradient_by_finite_differences(aligned):
    x = torch.randn(1, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    regions = torch.tensor([[0, 1.3, 2.1, 9.7, 7.2], [0, -3, -3, 30, 30]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda a: roi_align(a, regions, (2, 3), 0.5, 0, aligned), (x,))


def test_regions_without_extent_and_no_region_at_all():
    x = torch.randn(1, 2, 6, 6, requires_grad=True)
    flat = torch.tensor([[0, 5.0, 5.0, 5.0, 9.0]])
    for regions in (flat, flat[:0]):
        pooled = roi_align(x, regions, (2, 2), 0.5)
        (gradient,) = torch.autograd.grad(pooled.sum(), x)
        assert pooled.abs().sum() == 0 and gradient.abs().sum() == 0


def test_bfloat16_in_autocast():
    x = torch.randn(1, 2, 6, 6).bfloat16().requires_grad_()
    regions = torch.tensor([[0, 1.0, 1.0, 9.0, 9.0]])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        pooled = roi_align(x, regions.bfloat16(), (2, 2), 0.5)
    (gradient,) = torch.autograd.grad(pooled.float().sum(), x)
    assert pooled.dtype == gradient.dtype == torch.bfloat16
    assert gradient.float().sum().item() == pytest.approx(8, rel=0.02)  # 2 channels x 4 bins
