"""Pixels of bounded size that show every object that there is room for."""

import base64

import cv2
import numpy as np

from d2freq.inference.report.pixels import LONGEST, MARGIN, SIDE, choose_windows, show


def reader(pixels: np.ndarray):
    def read(window, size):
        x0, y0, x1, y1 = window
        return cv2.resize(pixels[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA)

    return read


def decoded(text: str) -> np.ndarray:
    data = np.frombuffer(base64.b64decode(text), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1]


def noise(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_small_picture_is_whole_and_has_its_colours():
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, :, 0] = 200
    shown = show(reader(pixels), 60, 40, np.zeros((0, 4)), 100_000)
    assert shown.width == 60 and not shown.windows
    assert np.abs(decoded(shown.whole).astype(int) - pixels).max() < 8


def test_a_large_picture_has_sharp_windows_within_its_bytes():
    pixels = noise(3000, 1200)
    boxes = np.array([[x, y, x + 6, y + 6] for x in (10, 900, 2980) for y in (5, 600)], float)
    shown = show(reader(pixels), 3000, 1200, boxes, 3_000_000)
    assert shown.width <= LONGEST and len(shown.windows) == 6 and shown.size <= 3_000_000
    x0, y0, x1, y1 = shown.windows[2]
    sharp = decoded(shown.sharp[2])
    assert sharp.shape == (y1 - y0, x1 - x0, 3)
    assert np.abs(sharp.astype(int) - pixels[y0:y1, x0:x1]).mean() < 12  # JPEG of pure noise


def test_few_bytes_make_a_small_picture():
    pixels = noise(1500, 1000)
    shown = show(reader(pixels), 1500, 1000, np.array([[700.0, 500, 709, 509]]), 400_000)
    assert shown.size <= 400_000 and shown.width < 1500
    assert len(shown.windows) == 1  # the object is sharp all the same


def test_windows_lie_in_the_picture_and_show_their_box_with_a_margin():
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, [990, 690], (300, 2))
    boxes = np.hstack([corners, corners + rng.uniform(3, 20, (300, 2))])
    windows = choose_windows(boxes, 1000, 700)
    assert 4 < len(windows) < 100
    for x0, y0, x1, y1 in windows:
        assert 0 <= x0 < x1 <= 1000 and 0 <= y0 < y1 <= 700 and max(x1 - x0, y1 - y0) <= SIDE
    for a, b, c, d in boxes.tolist():
        a, b, c, d = (
            max(a - MARGIN, 0),
            max(b - MARGIN, 0),
            min(c + MARGIN, 1000),
            min(d + MARGIN, 700),
        )
        assert any(x0 <= a and y0 <= b and x1 >= c and y1 >= d for x0, y0, x1, y1 in windows)


def test_what_fills_a_window_needs_none():
    assert choose_windows(np.array([[0.0, 0, 300, 300]]), 1000, 1000) == []
