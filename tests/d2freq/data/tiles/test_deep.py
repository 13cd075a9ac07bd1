"""Tiles of deep pictures keep every bit and band."""

import json

import numpy as np
import pytest

from d2freq.data.tiles.geometry import resize_exactly
from d2freq.data.tiles.tile_coco import tile_coco
from d2freq.errors import UserError
from d2freq.utils.jobs import FailedItems
from d2freq.utils.pixels import read_layout, read_samples, write_samples

SIZE = dict(width=100, height=80)


def noise(bands, dtype=np.uint16):
    values = np.random.default_rng(0).integers(0, 2047, (80, 100, bands))
    return values.astype(dtype)


KINDS = {
    "uint16 RGB": (noise(3), "a.png", -1),
    "uint16 grey": (noise(1) * 29, "a.tif", -1),
    "five bands": (noise(5), "a.tif", -1),
    "four bands and alpha": (noise(5), "a.tif", 4),
    "float": (noise(1, np.float32) / np.float32(3), "a.tif", -1),
}


def cut(tmp_path, name, **options):
    box = dict(id=1, image_id=1, category_id=1, iscrowd=0, bbox=[10, 10, 9, 8], area=72)
    truth = dict(images=[dict(id=1, file_name=name, **SIZE)], annotations=[box])
    truth["categories"] = [dict(id=1, name="a")]
    options = dict(size=(64, 64), overlap=(16, 16), workers=1, progress=False) | options
    return tile_coco(truth, tmp_path, tmp_path / "out", keep_empty=True, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_tiles_are_windows_of_the_samples(tmp_path, kind):
    values, name, alpha = KINDS[kind]
    write_samples(tmp_path / name, values, alpha=alpha, nodata=None if name == "a.png" else 7)
    file = cut(tmp_path, name)
    tiles = json.loads(file.read_text())["images"]
    assert len(tiles) == 4
    for tile in tiles:
        path = file.parent / "images" / tile["file_name"]
        found, layout = read_samples(path)
        x, y = tile["tile"]["x"], tile["tile"]["y"]
        window = values[y : y + tile["height"], x : x + tile["width"]]
        assert found.dtype == values.dtype and layout.alpha == alpha
        np.testing.assert_array_equal(found, window)
        if path.suffix == ".tif":
            assert read_layout(path).nodata == 7
    assert path.suffix == (".png" if "uint16" in kind else ".tif")


def test_a_scale_treats_each_band_alike():
    values = noise(5)
    found = resize_exactly(values, 0.5)
    assert found.dtype == np.uint16 and found.shape == (40, 50, 5)
    for band in range(5):
        alone = resize_exactly(values[:, :, band : band + 1], 0.5)
        np.testing.assert_array_equal(found[:, :, band : band + 1], alone)


def test_what_would_lose_depth_is_refused(tmp_path):
    write_samples(tmp_path / "a.png", noise(3))
    with pytest.raises(FailedItems, match=r"3 bands of 16 bits.*no JPEG holds.*--format png"):
        cut(tmp_path, "a.png", image_format="jpg")
    with pytest.raises(UserError, match="holds no 5 bands"):
        write_samples(tmp_path / "b.png", noise(5))
