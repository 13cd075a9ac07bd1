"""HFP's high-pass filter: projection on the lowest DCT rows against DCT, mask, inverse DCT.

Both work on the same 256 x 200 x 200 map (P2 of an 800 x 800 image) in float32 with the same
number of threads; scipy's transform is the other side on CPU, and on a GPU the same three steps
as full matrix products. Prints a markdown table.
"""

import argparse

import scipy.fft
import torch
from common import alternate, where

from d2freq.ops.dct import band_rows, dct2, high_pass, idct2


def by_scipy(x: torch.Tensor, alpha: float) -> torch.Tensor:
    """Transform, zero the low band, transform back."""
    threads = torch.get_num_threads()
    spectrum = scipy.fft.dctn(x.numpy(), axes=(-2, -1), norm="ortho", workers=threads)
    spectrum[..., : band_rows(x.shape[-2], alpha), : band_rows(x.shape[-1], alpha)] = 0
    filtered = scipy.fft.idctn(
        spectrum, axes=(-2, -1), norm="ortho", workers=threads, overwrite_x=True
    )
    return torch.from_numpy(filtered)


def by_full_matrices(x: torch.Tensor, alpha: float) -> torch.Tensor:
    """The same three steps on the device of ``x``."""
    spectrum = dct2(x)
    spectrum[..., : band_rows(x.shape[-2], alpha), : band_rows(x.shape[-1], alpha)] = 0
    return idct2(spectrum)


def main() -> None:
    """Time both sides in turns and compare their results, scipy in float64 being the truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--size", type=int, nargs=3, default=(256, 200, 200))
    arguments = parser.parse_args()

    device = "cuda" if torch.cuda.is_available() else "cpu"
    other = by_scipy if device == "cpu" else by_full_matrices
    x = torch.randn(arguments.size, generator=torch.Generator().manual_seed(0))
    on_device = x.to(device)

    print(where())
    print()
    print(f"| alpha | projection, ms | {other.__name__}, ms | time ratio | max difference |")
    print("|---|---|---|---|---|")
    for alpha in (0.25, 0.5, 0.75):
        seconds = alternate(
            {
                "projection": lambda alpha=alpha: high_pass(on_device, alpha),
                "other": lambda alpha=alpha: other(on_device, alpha),
            },
            repeats=arguments.repeats,
        )
        difference = (high_pass(on_device, alpha).cpu() - by_scipy(x.double(), alpha)).abs().max()
        print(
            f"| {alpha} | {1e3 * seconds['projection']:.1f} | {1e3 * seconds['other']:.1f} "
            f"| {seconds['projection'] / seconds['other']:.2f} | {difference:.1e} |"
        )


if __name__ == "__main__":
    main()
