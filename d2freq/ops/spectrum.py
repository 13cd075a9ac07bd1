"""Fourier bands of feature maps by radius, and what energy and amplitude they hold.

Shape shorthand: ... any leading axes (images, channels), H x W the map.

The transform is 2-D per channel and orthonormal, so a map and its spectrum have equal energy. A
radius is the length of the frequency (fy, fx) in cycles per cell, 0 to sqrt(1/2), so that one
radius means the same detail in maps of any size. A band is the frequencies with
``low < radius <= high``: bands that share their ends share no frequency. Spectra and masks are
shifted: the zero frequency stands at (H // 2, W // 2).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = [
    "BELOW_ZERO",
    "FARTHEST",
    "BandStatistics",
    "SpectrumSum",
    "amplitude",
    "band_mask",
    "filter_bands",
    "log_amplitude",
    "radius_map",
]

PLACES = 9  # decimals of a radius: (3, 4) and (5, 0) are on one circle, whatever their rounding
FARTHEST = round(math.sqrt(0.5), PLACES)  # the corner, (1/2, 1/2) cycles per cell
BELOW_ZERO = -1.0  # the low end of a band that holds the zero frequency


def radius_map(height: int, width: int, *, device: torch.device | str = "cpu") -> Tensor:
    """Radius of each frequency of an H x W map in cycles per cell: (H, W) float64, shifted.

    Examples:
        >>> from d2freq.ops.spectrum import radius_map
        >>> radius_map(2, 4).tolist()[1]  # the middle row: vertical frequency 0
        [0.5, 0.25, 0.0, 0.25]
    """
    rows = torch.fft.fftfreq(height, dtype=torch.float64, device=device)
    columns = torch.fft.fftfreq(width, dtype=torch.float64, device=device)
    radii = (rows[:, None] ** 2 + columns**2).sqrt()
    return torch.fft.fftshift(radii.round(decimals=PLACES))


def amplitude(x: Tensor) -> Tensor:
    """Amplitude spectrum of each map, shifted: (..., H, W) -> (..., H, W), float32 or float64."""
    return torch.fft.fftshift(torch.fft.fft2(_wide(x), norm="ortho").abs(), dim=(-2, -1))


def log_amplitude(x: Tensor) -> Tensor:
    """log(1 + amplitude), shifted: what a spectrum is drawn as. (..., H, W) -> (..., H, W)."""
    return amplitude(x).log1p()


def band_mask(
    height: int, width: int, low: float, high: float, *, device: torch.device | str = "cpu"
) -> Tensor:
    """Frequencies with ``low < radius <= high``: (H, W) bool, shifted; see BELOW_ZERO, FARTHEST."""
    radii = radius_map(height, width, device=device)
    return (low < radii) & (radii <= high)


def filter_bands(x: Tensor, keep: Tensor) -> Tensor:
    """Scale the amplitudes, keep the phases, and transform back (SET, Sec. 1).

    With amplitude A and phase p this is the inverse transform of ``(keep A) exp(i p)``, which for
    a ``keep`` of 0 or more is ``keep`` times the spectrum itself.

    Args:
        x: (..., H, W) of any float type; below 32 bits it is transformed in float32.
        keep: (H, W) shifted, equal at a frequency and its negative, as any mask by radius is;
            True or 1 keeps.

    Returns:
        (..., H, W) in the type of ``x``.

    Examples:
        >>> import torch
        >>> from d2freq.ops.spectrum import BELOW_ZERO, band_mask, filter_bands
        >>> x = torch.randn(2, 8, 8)
        >>> low = filter_bands(x, band_mask(8, 8, BELOW_ZERO, 0.0))  # the zero frequency alone
        >>> torch.allclose(low, x.mean(dim=(1, 2), keepdim=True).expand_as(x), atol=1e-6)
        True
    """
    height, width = x.shape[-2:]
    factor = torch.fft.ifftshift(keep)[:, : width // 2 + 1].to(x.device)
    half = torch.fft.rfft2(_wide(x), norm="ortho") * factor
    return torch.fft.irfft2(half, s=(height, width), norm="ortho").to(x.dtype)


@dataclass(frozen=True)
class BandStatistics:
    """What a band holds of all the maps that were added.

    Attributes:
        frequencies: how many per map, mean over the maps.
        energy_share: its energy over that of all frequencies, 0 to 1.
        amplitude_share: its amplitudes' sum over that of all frequencies, 0 to 1.
        amplitude_mean: mean amplitude of its frequencies; NaN where it has none.
    """

    frequencies: float
    energy_share: float
    amplitude_share: float
    amplitude_mean: float


class SpectrumSum:
    """Amplitude and energy by frequency, summed over maps that may differ in size.

    Sums are float64 on the CPU, one (H, W) map of each for every size that was added.

    Examples:
        >>> import torch
        >>> from d2freq.ops.spectrum import BELOW_ZERO, FARTHEST, SpectrumSum
        >>> spectra = SpectrumSum()
        >>> spectra.add(torch.randn(3, 8, 8))
        >>> spectra.add(torch.randn(3, 6, 10))
        >>> low, high = spectra.statistics([(BELOW_ZERO, 0.25), (0.25, FARTHEST)])
        >>> round(low.energy_share + high.energy_share, 6)
        1.0
    """

    def __init__(self) -> None:
        self._sums: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
        self._maps: dict[tuple[int, int], int] = {}

    def add(self, x: Tensor) -> None:
        """Add the spectra of (..., H, W); every map of the leading axes counts as one."""
        size = (x.shape[-2], x.shape[-1])
        spectra = amplitude(x.detach()).reshape(-1, *size)
        wide = torch.float64
        sums = spectra.sum(0, dtype=wide).cpu(), (spectra**2).sum(0, dtype=wide).cpu()
        if size in self._sums:
            amplitude_sum, energy_sum = self._sums[size]
            sums = amplitude_sum + sums[0], energy_sum + sums[1]
        self._sums[size] = sums
        self._maps[size] = self._maps.get(size, 0) + len(spectra)

    @property
    def energy(self) -> float:
        """Energy of all maps: the sum of their squares."""
        return math.fsum(float(energy.sum()) for _, energy in self._sums.values())

    def radius(self, share: float, *, zero_frequency: bool = False) -> float:
        """The largest radius within which at most ``share`` of the energy lies.

        Thus ``radius(a) < r <= radius(b)`` are the frequencies whose share of the energy, counted
        from low to high up to and with their own circle, lies in (a, b].

        Args:
            share: 0 to 1; 0 gives BELOW_ZERO, 1 gives FARTHEST.
            zero_frequency: whether the energy of the channels' means counts. It is often half of
                all, so that no band in the middle would be left; where it does not count, it
                belongs to the band that begins at 0.

        Returns:
            cycles per cell; BELOW_ZERO where the zero frequency alone holds more than ``share``.

        Raises:
            ValueError: a share outside of [0, 1], or maps without energy that counts.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"a share of energy lies between 0 and 1, not {share}")
        radii = torch.cat([radius_map(*size).flatten() for size in self._sums])
        energies = torch.cat([energy.flatten() for _, energy in self._sums.values()])
        if not zero_frequency:
            energies = energies.where(radii > 0, 0)
        total = float(energies.sum())
        if not (math.isfinite(total) and total > 0):
            raise ValueError(f"maps of energy {total} have no bands by energy")
        if share in (0, 1):
            return FARTHEST if share else BELOW_ZERO
        circles, place = radii.unique(return_inverse=True)
        held = torch.zeros_like(circles).index_add_(0, place, energies).cumsum(0) / total
        inside = circles[held <= share]
        return float(inside[-1]) if len(inside) else BELOW_ZERO

    def statistics(self, bands: Sequence[tuple[float, float]]) -> list[BandStatistics]:
        """What each band (low, high), two radii, holds; shares are NaN without any energy."""
        maps = sum(self._maps.values())
        amplitudes = math.fsum(float(total.sum()) for total, _ in self._sums.values())
        energy = self.energy
        found = []
        for low, high in bands:
            count, amount, power = 0, 0.0, 0.0
            for size, (amplitude_sum, energy_sum) in self._sums.items():
                mask = band_mask(*size, low, high)
                count += int(mask.sum()) * self._maps[size]
                amount += float(amplitude_sum[mask].sum())
                power += float(energy_sum[mask].sum())
            shares = _ratio(power, energy), _ratio(amount, amplitudes)
            found.append(BandStatistics(_ratio(count, maps), *shares, _ratio(amount, count)))
        return found


def _wide(x: Tensor) -> Tensor:
    """At least 32 bits, which an FFT of any size needs."""
    return x if x.dtype == torch.float64 else x.float()


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
