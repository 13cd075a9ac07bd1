"""Names of pictures that nearly fit, as all readers find them."""

import json
import unicodedata

import pytest
from PIL import Image

from d2freq.data.coco.near_names import find_near
from d2freq.data.convert.tools.records import Record, _Finder
from d2freq.errors import UserError
from d2freq.evaluation.results.truth import Truth
from d2freq.utils.names import PICTURES, NameIndex, files_below

NFC, NFD = (unicodedata.normalize(form, "é 1.jpg") for form in ("NFC", "NFD"))
# what is written, what lies there
CASES = {
    "jpeg for jpg": ("a.jpeg", "a.jpg"),
    "jpg for JPEG": ("sub/a.jpg", "sub/A.JPEG"),
    "tiff for tif": ("a.tiff", "a.tif"),
    "no suffix": ("sub/a", "sub/a.png"),
    "no suffix but a dot": ("frame.01", "frame.01.png"),
    "backslashes": ("..\\images\\a.jpg", "a.jpg"),
    "of another machine": ("C:\\Users\\me\\a.jpg", "a.jpg"),
    "percent signs": ("images%5Ca%20b.jpg", "a b.jpg"),
    "an address": ("https://host/files/a%20b.jpg?v=2", "a b.jpg"),
    "NFD": (NFD, NFC),
}


@pytest.mark.parametrize("case", CASES)
def test_all_readers_find_the_same(case, tmp_path):
    name, there = CASES[case]
    path = tmp_path / "root" / there
    path.parent.mkdir(parents=True)
    Image.new("L", (9, 9)).save(path, "PNG")
    (path.parent / "a.xml").write_text("<a/>")
    (path.parent / ".a.jpg").write_text("left by a file system")
    assert find_near([name], tmp_path / "root")[name].only == there
    assert _Finder(tmp_path / "root").find(Record(name, "x", {}, None, "x")) == there
    categories = [{"id": 1, "name": "ship"}]
    images = [{"id": 4, "file_name": there}, {"id": 5, "file_name": "other.jpg"}]
    truth = {"images": images, "annotations": [], "categories": categories}
    (tmp_path / "gt.json").write_text(json.dumps(truth))
    assert Truth(tmp_path / "gt.json").image(name, "x").id == 4


@pytest.mark.parametrize(
    ("name", "paths", "strict", "lenient"),
    [
        ("x/a.jpg", ["y/a.jpg"], (), ("y/a.jpg",)),
        ("a.jpg", ["a.jpg", "sub/a.jpg"], ("a.jpg",), ("a.jpg",)),
        ("a.jpg", ["x/a.jpg", "y/a.jpg"], ("x/a.jpg", "y/a.jpg"), ("x/a.jpg", "y/a.jpg")),
        ("a.jpg", ["a.jpeg", "a.jpg"], ("a.jpg",), ("a.jpg",)),
        ("a.jpe", ["a.jpeg", "a.jpg"], ("a.jpeg", "a.jpg"), ("a.jpeg", "a.jpg")),
        ("A", ["A.jpg", "a.jpg"], ("A.jpg",), ("A.jpg",)),
        ("a", ["a.xml", "a.txt"], (), ()),
        ("a.png", ["a.jpg"], (), ()),
        ("q/y/a.jpg", ["x/a.jpg", "y/a.jpg"], ("y/a.jpg",), ("y/a.jpg",)),
        ("", ["a.jpg"], (), ()),
        ("..", ["a.jpg"], (), ()),
    ],
)
def test_of_several_the_nearest_is_meant(name, paths, strict, lenient):
    index = NameIndex(paths)
    assert index.find(name, same_folders=True) == strict
    assert index.find(name, same_folders=False) == lenient


def test_two_that_fit_are_named(tmp_path):
    for name in ("x/a.jpg", "y/a.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    with pytest.raises(UserError, match="v.json, 3: a.jpeg may be x/a.jpg or y/a.jpg in "):
        _Finder(tmp_path).find(Record("a.jpeg", "v.json, 3", {}, None, "x"))


def test_files_below(tmp_path):
    for name in ("b.JPG", "a.txt", ".a.jpg", "sub/c.jfif", ".hidden/d.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list(files_below(tmp_path, PICTURES)) == ["b.JPG", "sub/c.jfif"]
    assert list(files_below(tmp_path)) == ["a.txt", "b.JPG", "sub/c.jfif"]
