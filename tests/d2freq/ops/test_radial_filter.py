"""The filter by radial bands: its masks, its gain on waves, and both ways to compute it."""

import math

import pytest
import torch

from d2freq.ops.radial_filter import _by_products, add_bands, radial_masks
from d2freq.ops.spectrum import radius_map

SIZES = [(8, 8), (7, 10), (9, 5), (1, 1), (1, 6)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bands", [2, 5])
def test_masks_add_up_to_one_and_follow_the_radius(size, bands):
    masks = radial_masks(*size, bands, like=torch.zeros(1, dtype=torch.float64))
    torch.testing.assert_close(masks.sum(0), torch.ones(size, dtype=torch.float64))
    assert masks.min() >= 0
    centres = torch.arange(bands, dtype=torch.float64) * math.sqrt(0.5) / (bands - 1)
    radius = torch.fft.ifftshift(radius_map(*size))
    torch.testing.assert_close(torch.einsum("k,khw->hw", centres, masks), radius)


def test_weights_of_zero_return_the_map_bit_for_bit():
    x = torch.randn(2, 3, 7, 9)
    assert torch.equal(add_bands(x, torch.zeros(3, 4)), x)


@pytest.mark.parametrize("size", SIZES)
def test_equal_weights_are_a_factor(size):
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    found = add_bands(x, torch.full((1, 6), 0.5, dtype=torch.float64))
    torch.testing.assert_close(found, 1.5 * x, atol=1e-12, rtol=0)


def test_a_wave_meets_the_gain_at_its_radius():
    rows, columns = torch.arange(12.0).double()[:, None], torch.arange(16.0).double()
    wave = torch.cos(2 * math.pi * (rows * 3 / 12 + columns * 4 / 16))  # radius sqrt(1/8)
    weights = torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float64)  # centre sqrt(1/8)
    torch.testing.assert_close(add_bands(wave[None, None], weights)[0, 0], 2 * wave)
    finest = torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(add_bands(wave[None, None], finest)[0, 0], wave)


@pytest.mark.parametrize("size", SIZES)
def test_by_products_as_export_does_it(size):
    x, weights = torch.randn(2, 3, *size).double(), torch.randn(3, 5).double()
    gain = torch.einsum("ck,khw->chw", weights, radial_masks(*size, 5, like=x))
    torch.testing.assert_close(
        x + _by_products(x, gain), add_bands(x, weights), atol=1e-12, rtol=1e-12
    )


def test_gradient_by_finite_differences():
    x = torch.randn(1, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(add_bands, (x, weights))


def test_autocast_keeps_the_dtype_and_full_precision():
    x, weights = torch.randn(1, 2, 6, 6).bfloat16(), torch.randn(2, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = add_bands(x, weights)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found, add_bands(x.float(), weights).bfloat16())
