"""Pictures that nobody wishes for: each gives its pixels, or a line with its name and the cure."""

import logging
import os

import numpy as np
import pytest
import tifffile
from PIL import Image

from d2freq.errors import DatasetError, UserError
from d2freq.inference.sources import find_sources, open_source
from d2freq.inference.sources import open as open_module
from d2freq.utils.output import check_output
from d2freq.utils.pixels import look_at

HEIGHT, WIDTH = 40, 60


def noise(height=HEIGHT, width=WIDTH, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def read(source):
    """(picture, pixels) of each picture of a source."""
    return [(each.picture, each.pixels(each.whole())) for each in open_source(source, first_id=1)]


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def saved(path, pixels=None, **options):
    Image.fromarray(noise() if pixels is None else pixels).save(path, **options)


def turned(path):
    exif = Image.Exif()
    exif[0x0112] = 6
    saved(path, exif=exif)


def animated(path, **options):
    frames = [Image.fromarray(noise(seed=n)) for n in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)


def palette(path):
    image = Image.fromarray(noise()[:, :, 0] % 8, "P")
    image.putpalette(noise(1, 256).tobytes())
    image.save(path, transparency=0)


def truncated(path):
    saved(path)
    cut(path)


def with_nan(path):
    values = np.random.default_rng(0).random((HEIGHT, WIDTH)).astype(np.float32)
    values[3:9, 5:9] = np.nan
    tifffile.imwrite(path, values)


BAD = {
    "empty.png": (lambda path: path.write_bytes(b""), r"an empty file \(0 bytes\); fetch it again"),
    "empty.tif": (lambda path: path.write_bytes(b""), r"an empty file \(0 bytes\); fetch it again"),
    "text.png": (lambda path: path.write_text("hello"), "no picture of a known kind.; fetch it"),
    "text.tif": (lambda path: path.write_text("hello"), "no picture of a known kind.; fetch it"),
    "page.jpg": (lambda path: path.write_text("<!DOCTYPE html><p>404"), "a web page, as servers"),
    "lfs.png": (
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"),
        "'git lfs pull' fetches",
    ),
    "cut.jpg": (truncated, r"unreadable \(.*truncated.*\); fetch it again"),
    "cut.png": (truncated, r"unreadable \(.*truncated.*\); fetch it again"),
    "cut.tif": (truncated, r"(damaged at x 0, y 0|unreadable) .*; fetch it again"),
    "deep.png": (
        lambda path: saved(path, np.full((9, 9), 4000, np.uint16)),
        r"16 bits.*set INPUT\.PIXELS\.RANGE",
    ),
    "nan.tif": (with_nan, r"float32.*set INPUT\.PIXELS\.RANGE"),
    "loop.png": (
        lambda path: path.symlink_to("loop.png"),
        "a link to loop.png, which is not there",
    ),
    "gone.png": (lambda path: path.symlink_to("nowhere"), "a link to nowhere, which is not there"),
}
GOOD = {  # size, pictures in the file
    "dot.png": (lambda path: saved(path, noise(1, 1)), (1, 1), 1),
    "tall.png": (lambda path: saved(path, noise(5000, 1)), (1, 5000), 1),
    "turned.jpg": (turned, (HEIGHT, WIDTH), 1),
    "turned.png": (turned, (HEIGHT, WIDTH), 1),
    "inks.jpg": (
        lambda path: Image.fromarray(noise()).convert("CMYK").save(path),
        (WIDTH, HEIGHT),
        1,
    ),
    "palette.png": (palette, (WIDTH, HEIGHT), 1),
    "film.gif": (animated, (WIDTH, HEIGHT), 3),
    "film.png": (animated, (WIDTH, HEIGHT), 3),
    "film.webp": (animated, (WIDTH, HEIGHT), 3),
    "pages.tif": (animated, (WIDTH, HEIGHT), 3),
    "bool.tif": (lambda path: tifffile.imwrite(path, noise()[:, :, 0] > 99), (WIDTH, HEIGHT), 1),
    "ein Bild, ü ☃.png": (saved, (WIDTH, HEIGHT), 1),
}


@pytest.mark.parametrize("windows", [True, False], ids=["rasterio", "whole"])
@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_is_one_line_with_the_cure(name, windows, tmp_path, monkeypatch, caplog):
    write, message = BAD[name]
    write(tmp_path / name)
    if not windows:
        monkeypatch.setattr(open_module, "has_rasterio", lambda: False)
    saved(tmp_path / "z.png")
    bad, good = find_sources([str(tmp_path)])  # a link that leads nowhere is not passed over
    with pytest.raises(DatasetError, match=message) as error:
        read(bad)
    said = str(error.value)
    assert "\n" not in said and said.count(name) <= 2 and said.startswith(str(tmp_path / name))
    assert len(read(good)) == 1
    own = [record for record in caplog.records if record.name.startswith("d2freq")]
    assert len(own) == (not windows and name.endswith(".tif"))  # that rasterio is missing


@pytest.mark.parametrize("name", GOOD)
def test_a_strange_picture_is_read_as_it_looks(name, tmp_path):
    write, size, count = GOOD[name]
    write(tmp_path / name)
    (source,) = find_sources([str(tmp_path)])
    ((picture, pixels),) = read(source)
    assert (picture.width, picture.height) == size
    assert picture.unread == count - 1 == look_at(str(tmp_path / name)).unread
    with Image.open(tmp_path / name) as image:
        expected = np.asarray(image.convert("RGB"))
    if name.startswith("turned"):
        expected = np.rot90(expected, k=-1)
    assert np.array_equal(pixels, expected)


def test_a_link_that_leads_nowhere_is_named_at_once(tmp_path):
    (tmp_path / "loop.png").symlink_to("loop.png")
    with pytest.raises(UserError, match=r"loop\.png: a link to loop\.png.*; correct or delete it"):
        find_sources([str(tmp_path / "loop.png")])


def test_pictures_behind_links_to_folders_are_found_once(tmp_path):
    (tmp_path / "elsewhere/deep").mkdir(parents=True)
    saved(tmp_path / "elsewhere/deep/a.png")
    (tmp_path / "here").mkdir()
    (tmp_path / "here/linked").symlink_to("../elsewhere")
    (tmp_path / "here/again").symlink_to(".")
    (tmp_path / "elsewhere/deep/up").symlink_to("../..")
    assert [source.name for source in find_sources([str(tmp_path / "here")])][0] == (
        "linked/deep/a.png"
    )
    os.mkfifo(tmp_path / "elsewhere/pipe.png")  # opening it would wait for ever
    assert len(find_sources([str(tmp_path / "elsewhere")])) == 1


def test_pictures_that_nobody_reads_are_counted(tmp_path, caplog):
    for name in ("a.HEIC", "sub/b.heic", "c.npy", "notes.md", ".d.heic"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    saved(tmp_path / "e.png")
    with caplog.at_level(logging.WARNING):
        assert len(find_sources([str(tmp_path)])) == 1
    said = [record.getMessage().removeprefix(f"{tmp_path}: ") for record in caplog.records]
    assert [line[:23] for line in said] == ["2 files end on .heic, w", "1 file ends on .npy, wh"]


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(UserError, match=r"--output .*new/out: nothing can be written into"):
        check_output(tmp_path / "new/out", "--output", folder=True)
