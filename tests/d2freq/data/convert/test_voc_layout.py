"""Pascal VOC in other trees than its own, and XML whose numbers are edges plus 1."""

import json

import pytest
from PIL import Image

from d2freq.data.convert.voc import convert_voc
from d2freq.errors import UserError

XML = (
    "<annotation><size><width>60</width><height>40</height></size><object><name>ship</name><bndbox>"
    "<xmin>11</xmin><ymin>6</ymin><xmax>14</xmax><ymax>8</ymax></bndbox></object></annotation>"
)


def put(image, label):
    for path in (image, label):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (60, 40)).save(image)
    label.write_text(XML)


def convert(source, tmp_path, **options):
    file = convert_voc(source, tmp_path / "gt.json", workers=1, progress=False, **options)
    data = json.loads(file.read_text())
    return [image["file_name"] for image in data["images"]], data["annotations"][0]["bbox"]


@pytest.mark.parametrize(
    ("image", "label", "name"),
    [
        ("a b.jpg", "a b.xml", "a b.jpg"),  # beside each other
        ("train/ü.JPG", "train/ü.xml", "train/ü.JPG"),  # a folder a split
        ("images/a.png", "annotations/a.xml", "a.png"),
        ("images/x/a.png", "labels/x/a.xml", "x/a.png"),
        ("JPEGImages/a.jpg", "Annotations/a.xml", "a.jpg"),
        ("a.jpg", "Annotations/a.xml", "a.jpg"),
    ],
)
def test_layouts(tmp_path, image, label, name):
    put(tmp_path / "set" / image, tmp_path / "set" / label)
    assert convert(tmp_path / "set", tmp_path) == ([name], [10, 5, 4, 3])


def test_numbers_that_are_edges_plus_one(tmp_path):
    put(tmp_path / "set/a.png", tmp_path / "set/a.xml")
    assert convert(tmp_path / "set", tmp_path, xml_offset=1)[1] == [10, 5, 3, 2]
    assert convert(tmp_path / "set", tmp_path, one_based=False)[1] == [11, 6, 3, 2]
    assert convert(tmp_path / "set", tmp_path, xml_offset=0)[1] == [11, 6, 3, 2]


def test_no_xml_at_all(tmp_path):
    Image.new("L", (60, 40)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="no XML file there"):
        convert(tmp_path, tmp_path)
