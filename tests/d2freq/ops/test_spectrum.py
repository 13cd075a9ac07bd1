"""Fourier bands against numpy.fft and loops, on maps of odd and even sizes."""

import math

import numpy as np
import pytest
import torch

from d2freq.ops.spectrum import (
    BELOW_ZERO,
    FARTHEST,
    SpectrumSum,
    amplitude,
    band_mask,
    filter_bands,
    log_amplitude,
    radius_map,
)

SIZES = [(1, 1), (1, 6), (2, 2), (5, 4), (8, 8), (9, 7), (16, 12)]


def maps(height, width, dtype=torch.float64):
    generator = torch.Generator().manual_seed(height * 100 + width)
    return torch.randn(2, 3, height, width, generator=generator, dtype=dtype)


def summed(*features):
    total = SpectrumSum()
    for feature in features:
        total.add(feature)
    return total


@pytest.mark.parametrize("size", SIZES)
def test_radius_and_amplitude_equal_numpy(size):
    height, width = size
    rows, columns = np.fft.fftfreq(height), np.fft.fftfreq(width)
    expected = np.fft.fftshift(np.hypot(rows[:, None], columns))
    np.testing.assert_allclose(radius_map(*size).numpy(), expected, atol=1e-9)
    assert radius_map(*size)[height // 2, width // 2] == 0
    assert radius_map(*size).max() <= FARTHEST
    x = maps(*size)
    spectrum = np.fft.fftshift(np.fft.fft2(x.numpy(), norm="ortho"), axes=(-2, -1))
    np.testing.assert_allclose(amplitude(x).numpy(), np.abs(spectrum), atol=1e-12)
    np.testing.assert_allclose(log_amplitude(x).numpy(), np.log1p(np.abs(spectrum)), atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_masking_keeps_the_phase(size):
    x = maps(*size)
    keep = ~band_mask(*size, 0.2, 0.4)
    spectrum = np.fft.fft2(x.numpy())
    scaled = np.abs(spectrum) * np.fft.ifftshift(keep.numpy())
    back = np.fft.ifft2(scaled * np.exp(1j * np.angle(spectrum)))
    assert np.abs(back.imag).max() < 1e-12
    np.testing.assert_allclose(filter_bands(x, keep).numpy(), back.real, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_bands_add_up_to_the_map_and_its_energy(size):
    x = maps(*size)
    ends = [BELOW_ZERO, 0.0, 0.15, 0.3, 0.5, FARTHEST]
    bands = list(zip(ends, ends[1:], strict=False))
    masks = torch.stack([band_mask(*size, low, high) for low, high in bands])
    assert (masks.sum(0) == 1).all()  # each frequency in one band
    parts = torch.stack([filter_bands(x, mask) for mask in masks])
    torch.testing.assert_close(parts.sum(0), x)
    torch.testing.assert_close((parts**2).sum(), (x**2).sum())  # bands are orthogonal: Parseval
    statistics = summed(x).statistics(bands)
    shares = [float((part**2).sum() / (x**2).sum()) for part in parts]
    np.testing.assert_allclose([s.energy_share for s in statistics], shares, atol=1e-12)
    assert math.fsum(s.amplitude_share for s in statistics) == pytest.approx(1)
    assert sum(s.frequencies for s in statistics) == size[0] * size[1]
    assert summed(x).energy == pytest.approx(float((x**2).sum()))


def test_masking_all_and_nothing():
    x = maps(9, 8, torch.float32)
    torch.testing.assert_close(filter_bands(x, torch.ones(9, 8)), x)
    assert not filter_bands(x, torch.zeros(9, 8)).any()
    mean = filter_bands(x, band_mask(9, 8, BELOW_ZERO, 0.0))
    torch.testing.assert_close(mean, x.mean((-2, -1), keepdim=True).expand_as(x))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_transformed_in_float32(dtype):
    x = maps(6, 10, torch.float32).to(dtype)
    keep = band_mask(6, 10, BELOW_ZERO, 0.3)
    filtered = filter_bands(x, keep)
    assert filtered.dtype == dtype
    torch.testing.assert_close(filtered, filter_bands(x.float(), keep).to(dtype))


def test_a_sinusoid_lands_in_its_band():
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(24.0), indexing="ij")
    wave = torch.cos(2 * torch.pi * (4 / 32 * rows + 3 / 24 * columns))  # radius sqrt(1/32)
    radius = math.hypot(4 / 32, 3 / 24)
    spectrum = amplitude(wave)
    peaks = {tuple(place) for place in (spectrum > 1).nonzero().tolist()}
    assert peaks == {(16 + 4, 12 + 3), (16 - 4, 12 - 3)}
    inside, around = summed(wave).statistics([(0.17, 0.18), (0.18, 0.7)])
    assert inside.energy_share == pytest.approx(1) and around.energy_share < 1e-9
    torch.testing.assert_close(filter_bands(wave, band_mask(32, 24, radius - 0.01, 0.18)), wave)
    assert filter_bands(wave, ~band_mask(32, 24, 0.17, 0.18)).abs().max() < 1e-5


@pytest.mark.parametrize("zero_frequency", [False, True])
def test_radii_by_energy_equal_a_loop(zero_frequency):
    features = [maps(9, 7), 3 * maps(16, 12) + 1]
    energy = {}
    for feature in features:
        spectrum = np.abs(np.fft.fft2(feature.numpy(), norm="ortho")) ** 2
        rows, columns = (np.fft.fftfreq(side) for side in feature.shape[-2:])
        for y, fy in enumerate(rows):
            for x, fx in enumerate(columns):
                radius = round(float(np.hypot(fy, fx)), 9)
                energy[radius] = energy.get(radius, 0) + spectrum[..., y, x].sum()
    energy[0.0] *= zero_frequency
    total, held, expected = sum(energy.values()), 0.0, {}
    shares = (0.15, 0.4, 0.6, 0.9, 0.99)
    for radius in sorted(energy):
        held += energy[radius]
        expected |= {share: radius for share in shares if held / total <= share}
    both = summed(*features)
    radii = {share: both.radius(share, zero_frequency=zero_frequency) for share in shares}
    assert radii == pytest.approx(expected)
    assert (both.radius(0), both.radius(1)) == (BELOW_ZERO, FARTHEST)
    ends = [radii[share] for share in (0.4, 0.6, 0.9)]
    mid, upper = both.statistics(list(zip(ends, ends[1:], strict=False)))
    counted = total / both.energy
    np.testing.assert_allclose(mid.energy_share / counted, 0.2, atol=0.05)
    np.testing.assert_allclose(upper.energy_share / counted, 0.3, atol=0.05)


def test_a_large_mean_leaves_bands_only_where_it_does_not_count():
    x = summed(maps(8, 8) + 5)
    assert x.radius(0.4, zero_frequency=True) == BELOW_ZERO == x.radius(0.6, zero_frequency=True)
    assert 0 < x.radius(0.4) < x.radius(0.6)
    first = SpectrumSum()  # its lowest circle alone holds more than half
    rows = torch.arange(8.0).expand(8, 8)
    first.add(3 + torch.cos(rows * torch.pi / 4) + 0.1 * torch.cos(rows * torch.pi))
    assert first.radius(0.4) == 0  # so the band that begins at 0 is the zero frequency


def test_a_constant_map_is_all_zero_frequency():
    constant = summed(torch.full((1, 4, 4), 2.0))
    assert constant.radius(0.9, zero_frequency=True) == BELOW_ZERO  # all energy on one circle
    low, high = constant.statistics([(BELOW_ZERO, 0.0), (0.0, FARTHEST)])
    assert (low.energy_share, low.amplitude_mean, low.frequencies) == (1, 8, 1)
    assert high.energy_share == 0 and high.frequencies == 15


def test_sums_do_not_depend_on_the_order_or_the_batching():
    x = maps(8, 6)
    bands = [(BELOW_ZERO, 0.3), (0.3, FARTHEST)]
    whole, parts = summed(x), summed(x[1], x[0, :2], x[0, 2])
    for one, other in zip(whole.statistics(bands), parts.statistics(bands), strict=True):
        assert vars(one) == pytest.approx(vars(other))


def test_no_energy_and_no_frequencies():
    empty = summed(torch.zeros(1, 4, 4))
    with pytest.raises(ValueError, match="energy 0.0"):
        empty.radius(0.5)
    assert math.isnan(empty.statistics([(0.0, 0.5)])[0].energy_share)
    band = summed(maps(4, 4)).statistics([(0.01, 0.02)])[0]
    assert band.amplitude_share == 0 and math.isnan(band.amplitude_mean)
    with pytest.raises(ValueError, match="between 0 and 1"):
        empty.radius(40)
