"""The DCT stem against what it stands for, on an image of 800 x 1344: time and memory.

Sides: `stem`, 24 channels of mode x2, and with all 192; `published`, the route of the paper's code
imitated: the image enlarged twice and, for chroma, four times (OpenCV, bilinear), both encoded as
JPEG of quality 100 with 4:2:0 (OpenCV), the coefficients read back (jpeglib, where it is
installed; otherwise enlarging and encoding alone, which is said), chosen and normalised; `scipy`,
block DCTs of Y, Cb and Cr of the twice enlarged image by scipy.fft.dctn in float32, chosen and
normalised. The sides take turns; each is run before. Memory is the peak of a process of its own
above what it had before the step. On a GPU the stem gets its pixels there; the other sides remain
on the CPU, as they are.
"""

import argparse
import importlib.util
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from common import alternate, in_new_process, peak_mb, where
from scipy.fft import dctn

from d2freq.modeling.frequency_input import DCTStem
from d2freq.ops.block_dct import YCBCR

HAS_JPEGLIB = importlib.util.find_spec("jpeglib") is not None
SIZE = (800, 1344)
SIDES = ("stem, 24 channels", "stem, 192 channels", "published", "scipy")
QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 100, cv2.IMWRITE_JPEG_SAMPLING_FACTOR]
QUALITY.append(cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420)


def picture(size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) uint8 BGR with the spectrum of a photograph, amplitudes as 1 / frequency."""
    random = np.random.default_rng(0)
    rows, columns = np.fft.fftfreq(size[0])[:, None], np.fft.fftfreq(size[1])[None]
    weight = 1 / np.maximum(np.hypot(rows, columns), 1 / max(size))
    planes = []
    for _ in range(3):
        noise = np.fft.fft2(random.standard_normal(size))
        plane = np.fft.ifft2(noise * weight).real
        planes.append(128 + 45 * plane / plane.std())
    return np.stack(planes, -1).clip(0, 255).astype(np.uint8)


def stem_side(channels: str, image: np.ndarray, device: str) -> Callable[[], object]:
    """The stem on pixels that are on the device already, as a detector's are."""
    ones = [1.0] * len(DCTStem(mode="x2", channels=channels).channels)
    stem = DCTStem(mode="x2", channels=channels, mean=[0.0] * len(ones), std=ones).to(device)
    pixels = torch.from_numpy(image.transpose(2, 0, 1).copy())[None].to(device)

    def run() -> object:
        with torch.no_grad():
            return stem(pixels.float() - 128)

    return run


def published_side(image: np.ndarray) -> Callable[[], object]:
    """Enlarge, encode, read back, choose 24 channels, normalise."""
    height, width = image.shape[:2]
    stem = DCTStem(mode="x2", channels="24")
    numbers = np.array(stem.channels)
    folder = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    files = [Path(folder) / name for name in ("luma.jpg", "chroma.jpg")]

    def run() -> object:
        for factor, file in zip((2, 4), files, strict=True):
            large = cv2.resize(image, (width * factor, height * factor))
            encoded = cv2.imencode(".jpg", large, QUALITY)[1]
            if not HAS_JPEGLIB:
                continue
            file.write_bytes(encoded.tobytes())
        if not HAS_JPEGLIB:
            return encoded
        import jpeglib

        luma, chroma = (jpeglib.read_dct(str(file)) for file in files)
        planes = [part.reshape(*part.shape[:2], 64) for part in (luma.Y, chroma.Cb, chroma.Cr)]
        planes = [part.transpose(2, 0, 1) for part in planes]
        found = np.concatenate(planes)[numbers].astype(np.float32)
        return torch.from_numpy((found - 0.0) / 1.0)

    return run


def scipy_side(image: np.ndarray) -> Callable[[], object]:
    """Enlarge, change colours, transform the blocks, choose 24 channels, normalise."""
    height, width = image.shape[:2]
    numbers = np.array(DCTStem(mode="x2", channels="24").channels)
    colours = np.array(YCBCR, np.float32)[:, ::-1]  # of B, G, R

    def run() -> object:
        large = cv2.resize(image, (width * 2, height * 2)).astype(np.float32) - 128
        planes = (large @ colours.T).transpose(2, 0, 1)
        blocks = planes.reshape(3, height // 4, 8, width // 4, 8)
        found = dctn(blocks, axes=(2, 4), norm="ortho")
        channels = found.transpose(0, 2, 4, 1, 3).reshape(192, height // 4, width // 4)
        return torch.from_numpy((channels[numbers] - 0.0) / 1.0)

    return run


def build(side: str, size: tuple[int, int], device: str) -> Callable[[], object]:
    """The work of one side."""
    image = picture(size)
    if side.startswith("stem"):
        return stem_side(side.split()[1], image, device)
    return published_side(image) if side == "published" else scipy_side(image)


def memory(side: str, size: tuple[int, int], device: str) -> float:
    """Peak MB of a first run above what there was before it; a small run loads the libraries."""
    build(side, (64, 64), device)()
    run = build(side, size, device)
    kind = device if side.startswith("stem") else "cpu"
    before = peak_mb(kind, reset=True)
    run()
    return peak_mb(kind) - before


def main() -> None:
    """Time the sides in turns, measure memory in processes of their own, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, nargs=2, default=SIZE, metavar=("H", "W"))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1, help="of torch and OpenCV")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--side", choices=SIDES, help="measure this side's memory alone")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    size = tuple(args.size)
    if args.side:
        print(json.dumps(memory(args.side, size, args.device)))
        return
    seconds = alternate(
        {side: build(side, size, args.device) for side in SIDES}, repeats=args.repeats
    )
    words = ["--size", *map(str, size), "--device", args.device, "--threads", str(args.threads)]
    peaks = {side: json.loads(in_new_process(__file__, "--side", side, *words)) for side in SIDES}
    print(f"{where()}; {args.threads} threads, {size[0]} x {size[1]}, stem on {args.device}")
    if not HAS_JPEGLIB:
        print("jpeglib is not installed: `published` enlarges and encodes, and reads nothing back")
    print("\n| side | ms | against the stem with 24 channels | MB |")
    print("|---|---|---|---|")
    base = seconds[SIDES[0]]
    for side in SIDES:
        time = seconds[side]
        print(f"| {side} | {1000 * time:.1f} | {time / base:.1f} x | {peaks[side]:.0f} |")


if __name__ == "__main__":
    main()
