"""Tiles cover every pixel, whole objects fit, and scaling moves no point."""

import numpy as np
import pytest

from d2freq.data.tiles.geometry import origins, resize_exactly, scaled_size, to_tile, windows
from d2freq.errors import UserError


@pytest.mark.parametrize(
    ("length", "tile", "overlap"), np.random.default_rng(0).integers(1, 60, (40, 3)).tolist()
)
def test_every_pixel_is_covered_and_what_fits_the_overlap_is_whole_somewhere(length, tile, overlap):
    overlap = overlap % tile
    starts = origins(length, tile, overlap)
    ends = [min(start + tile, length) for start in starts]
    assert starts == sorted(set(starts)) and starts[0] == 0 and ends[-1] == length
    assert all(0 <= start and start + min(tile, length) <= length for start in starts)
    for first in range(length):
        for last in range(first, min(first + max(overlap, 1), length)):
            assert any(a <= first and last < b for a, b in zip(starts, ends, strict=True))
    inner = np.diff(starts)[:-1]
    assert (inner == tile - overlap).all()


def test_the_published_grid():
    """1024 with stride 768, as HS-FPN cuts: the last tile is shifted inward."""
    assert origins(4000, 1024, 256) == [0, 768, 1536, 2304, 2976]
    assert origins(1024, 1024, 256) == [0] and origins(300, 1024, 256) == [0]
    assert origins(1025, 1024, 256) == [0, 1]


def test_windows_cover_the_plane():
    seen = np.zeros((97, 130), int)
    for window in windows((130, 97), (40, 30), (8, 5)):
        assert (window.width, window.height) == (40, 30)
        seen[window.y : window.y + 30, window.x : window.x + 40] += 1
    assert seen.min() == 1
    (only,) = windows((20, 10), (40, 30), (8, 5))
    assert (only.x, only.y, only.width, only.height) == (0, 0, 20, 10)


@pytest.mark.parametrize("overlap", [-1, 40])
def test_an_overlap_of_a_whole_tile_is_refused(overlap):
    with pytest.raises(UserError, match="from 0 to 39"):
        origins(100, 40, overlap)


def test_half_of_an_even_image_is_the_mean_of_blocks():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    means = pixels.reshape(3, 2, 4, 2, 3).mean(axis=(1, 3))
    assert np.abs(resize_exactly(pixels, 0.5).astype(float) - means).max() <= 0.5


@pytest.mark.parametrize("scale", [0.5, 0.75, 0.4, 0.333, 2.0])
def test_scaling_is_exact_at_the_far_end_of_an_odd_image(scale):
    """The far edge of a bright bar, found from the pixels' mass, lies where the scale says."""
    width, edge = 1001, 961.0
    pixels = np.zeros((7, width, 3), np.uint8)
    pixels[:, int(edge) - 60 : int(edge)] = 240
    small = resize_exactly(pixels, scale)
    assert small.shape[1::-1] == scaled_size((width, 7), scale)
    row = small[small.shape[0] // 2, :, 0].astype(float)
    middle = ((np.arange(len(row)) + 0.5) * row).sum() / row.sum()
    assert abs(middle - (edge - 30) * scale) < 0.02


def test_the_border_pixel_of_an_odd_side_is_kept():
    pixels = np.zeros((5, 5, 3), np.uint8)
    pixels[:, 4] = 200
    assert resize_exactly(pixels, 0.5).shape == (3, 3, 3)
    assert resize_exactly(pixels, 0.5)[1, 2, 0] == 200
    assert resize_exactly(pixels, 1.0) is pixels


@pytest.mark.parametrize("scale", [0, -0.5, 0.12345])
def test_scales_that_cannot_be_exact_are_refused(scale):
    with pytest.raises(UserError, match="three decimals"):
        scaled_size((10, 10), scale)


def test_boxes_go_to_a_tile_by_the_formula():
    box = np.array([[100.5, 40.25, 10.0, 6.0]])
    x, y, w, h = to_tile(box, x=20, y=8, scale=0.5)[0]
    assert ((x + 20) / 0.5, (y + 8) / 0.5, w / 0.5, h / 0.5) == tuple(box[0])
