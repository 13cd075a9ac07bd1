"""Masks to boxes, against loops over the pixels and pycocotools."""

import json
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image
from pycocotools import mask as run_lengths
from scipy import ndimage

from d2freq.data.convert.masks.convert import INVERTED, NO_MASK, PIECES, VOID, convert_masks
from d2freq.data.convert.masks.objects import components, objects_of, read_mask
from d2freq.errors import UserError
from d2freq.utils.jobs import FailedItems


def slow_box(inside):
    ys, xs = np.nonzero(inside)
    return (xs.min(), ys.min(), xs.max() - xs.min() + 1, ys.max() - ys.min() + 1)


@pytest.mark.parametrize("neighbours", [4, 8])
def test_twenty_random_masks(neighbours):
    random = np.random.default_rng(0)
    structure = np.ones((3, 3)) if neighbours == 8 else None
    for _ in range(20):
        height, width = random.integers(1, 40, 2)
        inside = random.random((height, width)) < random.uniform(0, 0.7)
        wish, count = ndimage.label(inside, structure)
        found = objects_of(components(inside, neighbours))
        assert len(found) == count
        masks = {run_lengths.decode(one.segmentation).tobytes(): one.bbox for one in found}
        for k in range(1, count + 1):
            assert masks[(wish == k).astype(np.uint8).tobytes()] == slow_box(wish == k)


def test_twenty_random_instance_masks():
    random = np.random.default_rng(1)
    for _ in range(20):
        labels = random.choice(
            [0, 1, 7, 300, 65535], (random.integers(1, 30), random.integers(1, 30))
        )
        found = objects_of(labels)
        assert [one.value for one in found] == [v for v in np.unique(labels) if v]
        for one in found:
            assert one.bbox == slow_box(labels == one.value)
            assert np.array_equal(run_lengths.decode(one.segmentation), labels == one.value)


@pytest.fixture
def folder(tmp_path):
    def write(mask, name="a b", suffix="_mask.png", mode=None, size=None):
        (tmp_path / "masks").mkdir(exist_ok=True)
        (tmp_path / "images").mkdir(exist_ok=True)
        picture = mask if isinstance(mask, Image.Image) else Image.fromarray(mask, mode)
        picture.save(tmp_path / "masks" / f"{name}{suffix}")
        Image.new("RGB", size or picture.size).save(tmp_path / f"images/{name}.jpg")
        return tmp_path

    return write


def convert(root, **options):
    options = {"suffix": "_mask", "workers": 1, "progress": False, **options}
    file = convert_masks(root / "images", root / "gt.json", masks=root / "masks", **options)
    data = json.loads(file.read_text())
    names = {c["id"]: c["name"] for c in data["categories"]}
    boxes = [(names[a["category_id"]], *a["bbox"]) for a in data["annotations"]]
    return boxes, data["info"]["notes"]


def test_binary(folder):
    mask = np.zeros((20, 30), np.uint8)
    mask[3, 4] = mask[4, 5] = 255
    mask[10:12, 20:30] = 255
    root = folder(mask)
    Image.new("L", (5, 5)).save(root / "images/bare.png")
    boxes, notes = convert(root, names="target")
    assert sorted(boxes) == [("target", 4, 3, 2, 2), ("target", 20, 10, 10, 2)]
    assert notes == {NO_MASK: 1}
    assert len(convert(root, neighbours=4)[0]) == 3
    folder(255 - mask)
    assert INVERTED in convert(root)[1]


def test_blurred_masks_have_two_readings(folder):
    mask = np.zeros((20, 30), np.uint8)
    mask[3:9, 4:9], mask[3:9, 9] = 255, 40
    root = folder(mask)
    with pytest.raises(FailedItems, match="two readings: an object each .*--threshold 127"):
        convert(root)
    assert convert(root, threshold=127)[0] == [("object", 4, 3, 5, 6)]
    assert convert(root, kind="instance")[0] == [("object", 9, 3, 1, 6), ("object", 4, 3, 5, 6)]


def test_values_are_classes_or_classes_and_instances(folder):
    mask = np.zeros((20, 30), np.uint16)
    mask[1:3, 1:3], mask[1, 20], mask[5:7, 5:9] = 2001, 2001, 1007
    mask[19] = 65535
    root = folder(mask)
    options = dict(kind="instance", names="car,van", divisor=1000, void=[65535])
    boxes, notes = convert(root, **options)
    assert boxes == [("car", 5, 5, 4, 2), ("van", 1, 1, 20, 2)]
    assert notes == {PIECES: 1, VOID: 1}
    with pytest.raises(FailedItems, match="value 65535 is of no class, 2 are named.*--void 65535"):
        convert(root, **{**options, "void": []})
    folder((mask // 1000 % 3).astype(np.uint8))
    boxes, _ = convert(root, kind="class", names="car,van")
    wish = [("car", 5, 5, 4, 2), ("van", 1, 1, 2, 2), ("van", 20, 1, 1, 1), ("van", 0, 19, 30, 1)]
    assert sorted(boxes) == sorted(wish)


def test_palettes_colours_and_bits(tmp_path):
    places = np.array([[0, 1], [2, 1]], np.uint8)
    palette = Image.fromarray(places, "L").convert("P")
    palette.putdata(places.ravel().tolist())
    palette.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    palette.save(tmp_path / "p.png")
    assert np.array_equal(read_mask(tmp_path / "p.png"), places)
    colours = np.zeros((2, 2, 3), np.uint8)
    colours[0, 1] = 1, 2, 3
    Image.fromarray(colours).save(tmp_path / "c.png")
    assert read_mask(tmp_path / "c.png").tolist() == [[0, 1 + 512 + 3 * 65536], [0, 0]]
    Image.fromarray(np.repeat(places[:, :, None], 3, 2)).save(tmp_path / "g.png")
    assert np.array_equal(read_mask(tmp_path / "g.png"), places)
    Image.fromarray(places > 1).save(tmp_path / "b.png")
    assert np.array_equal(read_mask(tmp_path / "b.png"), places > 1)
    for kind in (bool, np.uint8, np.uint16):  # whose 0 is white to a program that shows it
        tifffile.imwrite(tmp_path / "w.tif", (places > 1).astype(kind), photometric="miniswhite")
        assert np.array_equal(read_mask(tmp_path / "w.tif"), places > 1), kind
    tifffile.imwrite(tmp_path / "bool.tif", places > 1)
    assert np.array_equal(read_mask(tmp_path / "bool.tif"), places > 1)
    alpha = np.zeros((2, 2, 4), np.uint8)
    alpha[0, 1, 3] = 255
    Image.fromarray(alpha).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="its transparency is the mask"):
        read_mask(tmp_path / "a.png")


@pytest.mark.parametrize("kind", ["binary", "instance", "class"])
def test_a_picture_on_which_nothing_is(folder, kind):
    root = folder(np.zeros((20, 30), np.uint8))
    boxes, _ = convert(root, kind=kind, names="ship")
    assert boxes == []
    assert len(json.loads((root / "gt.json").read_text())["images"]) == 1


def test_refusals(folder):
    root = folder(np.zeros((20, 30), np.uint8))
    with pytest.raises(
        UserError, match=r"no mask has the name.*there is a b_mask.png: --suffix _mask"
    ):
        convert(root, suffix="")
    with pytest.raises(UserError, match="--divisor is of --kind instance"):
        convert(root, divisor=5)
    with pytest.raises(UserError, match="binary masks have one class"):
        convert(root, names="a,b")
    folder(np.zeros((20, 30), np.uint8), size=(20, 30))
    with pytest.raises(FailedItems, match="30 x 20 pixels, but the image has 20 x 30; one of"):
        convert(root)


def deep_png(path, values, colour_type):
    """A PNG of 16 bits of any colour type."""

    def chunk(kind, content):
        code = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", code)

    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    chunks = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


@pytest.mark.parametrize(("bands", "colour_type"), [(1, 0), (2, 4), (3, 2), (4, 6)])
def test_instances_of_16_bits_are_told_apart_in_every_colour_type(tmp_path, bands, colour_type):
    values = np.random.default_rng(0).integers(0, 700, (7, 5), dtype=np.uint16)
    planes = np.repeat(values[:, :, None], bands, axis=2)
    if bands in (2, 4):
        planes[:, :, -1] = 65535
    deep_png(tmp_path / "a.png", planes, colour_type)
    assert np.array_equal(read_mask(tmp_path / "a.png"), values)


def test_masks_of_kinds_that_pillow_does_not_open(tmp_path):
    values = np.random.default_rng(0).integers(0, 700, (7, 5))
    tifffile.imwrite(tmp_path / "a.tif", values.astype(np.int64))
    tifffile.imwrite(tmp_path / "b.tif", values.astype(">u2"), bigtiff=True, byteorder=">")
    for name in "ab":
        assert np.array_equal(read_mask(tmp_path / f"{name}.tif"), values)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_mask_an_object_in_one_file_is_refused(tmp_path, dtype):
    tifffile.imwrite(
        tmp_path / "a.tif", np.ones((3, 8, 6), dtype), photometric="minisblack", metadata=None
    )
    with pytest.raises(UserError, match=r"a\.tif: 3 pictures in one file; save"):
        read_mask(tmp_path / "a.tif")


def test_a_mask_is_turned_as_its_tag_says(tmp_path):
    values = np.arange(12, dtype=np.uint8).reshape(3, 4)
    image = Image.fromarray(values)
    tag = image.getexif()
    tag[274] = 6
    image.save(tmp_path / "a.png", exif=tag)
    assert np.array_equal(read_mask(tmp_path / "a.png"), np.rot90(values, -1))


def test_what_is_no_mask_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.full((4, 5), 7, np.float32))
    assert (read_mask(tmp_path / "a.tif") == 7).all()
    tifffile.imwrite(tmp_path / "b.tif", np.full((4, 5), 0.5, np.float32))
    bands = dict(photometric="minisblack", planarconfig="contig")
    tifffile.imwrite(tmp_path / "c.tif", np.ones((4, 6, 5), np.uint16), **bands)
    (tmp_path / "d.png").write_text("no picture")
    for name, message in (
        ("b.tif", "a mask of fractions; save it as whole numbers"),
        ("c.tif", "5 bands of 16 bits .*; a mask has one band"),
        ("d.png", r"unreadable \(.*fetch it again"),
        ("e.png", "no such mask"),
    ):
        with pytest.raises(UserError, match=f"{name}: {message}"):
            read_mask(tmp_path / name)


def test_choices_and_values_that_no_mask_has(folder):
    root = folder(np.ones((20, 30), np.uint8))
    with pytest.raises(UserError, match="--threshold is of --kind binary; leave it out for class"):
        convert(root, kind="class", threshold=3, names="a")
    with pytest.raises(UserError, match="with '_other' behind it$"):
        Image.new("L", (30, 20)).save(root / "masks/zzz.png")
        (root / "masks/a b_mask.png").unlink()
        convert(root, suffix="_other")
    tifffile.imwrite(root / "masks/a b_mask.tif", np.full((20, 30), -1, np.int16))
    with pytest.raises(FailedItems, match="values below 0; name them with --void"):
        convert(root, kind="instance")
