"""Shapes of objects in VOC files that are no plain bndbox, and class names in other encodings."""

import json

import pytest
from PIL import Image

from d2freq.data.convert.voc import convert_voc
from d2freq.data.convert.voc_shapes import BESIDE, ROUND, SWAPPED
from d2freq.utils.jobs import FailedItems

SIDES = ("xmin", "ymin", "xmax", "ymax")
POLYGON = "<polygon><x1>10</x1><y1>5</y1><x2>30</x2><y2>5</y2><x3>20</x3><y3>25</y3></polygon>"
POINTS = "<polygon>" + "".join(
    f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in ((10, 5), (30, 5), (20, 25))
)
OBJECTS = {
    "robndbox": "<robndbox><cx>50</cx><cy>40</cy><w>20</w><h>10</h><angle>1.570796</angle>"
    "</robndbox>",
    "polygon": POLYGON,
    "polygon of points": f"{POINTS}</polygon>",
}
BOXES = {
    "robndbox": [45, 30, 10, 20],
    "polygon": [10, 5, 20, 20],
    "polygon of points": [10, 5, 20, 20],
}


def bndbox(*numbers: int) -> str:
    sides = (f"<{side}>{n}</{side}>" for side, n in zip(SIDES, numbers, strict=True))
    return f"<bndbox>{''.join(sides)}</bndbox>"


def write(root, *shapes: str, name: str = "boat", encoding: str = "utf-8", head: str = "") -> None:
    for folder in ("JPEGImages", "Annotations"):
        (root / folder).mkdir(exist_ok=True)
    Image.new("RGB", (100, 80)).save(root / "JPEGImages/a.jpg")
    things = (f"<object><name>{name}</name>{shape}</object>" for shape in shapes)
    text = f"{head}<annotation>{''.join(things)}</annotation>"
    (root / "Annotations/a.xml").write_bytes(text.encode(encoding))


def convert(root, **options) -> dict:
    file = convert_voc(root, root / "gt.json", progress=False, workers=1, **options)
    return json.loads(file.read_text())


@pytest.mark.parametrize(
    ("written", "box"),
    [
        ((30, 10, 20, 15), [19, 9, 11, 6]),
        ((20, 15, 30, 10), [19, 9, 11, 6]),
        ((30, 15, 20, 10), [19, 9, 11, 6]),
    ],
)
def test_exchanged_corners_are_put_right_and_counted(written, box, tmp_path):
    write(tmp_path, bndbox(*written), bndbox(1, 1, 5, 5))
    data = convert(tmp_path)
    assert [a["bbox"] for a in data["annotations"]] == [box, [0, 0, 5, 5]]
    assert data["info"]["notes"] == {SWAPPED: 1}


@pytest.mark.parametrize("case", OBJECTS)
def test_an_object_without_a_bndbox_is_named_with_the_cure(case, tmp_path):
    write(tmp_path, bndbox(1, 1, 5, 5), OBJECTS[case])
    with pytest.raises(FailedItems, match=r"a\.xml, object 2: has .* and no bndbox; --hull"):
        convert(tmp_path)
    data = convert(tmp_path, hull=True)
    assert data["annotations"][1]["bbox"] == pytest.approx(BOXES[case], abs=1e-3)
    assert data["info"]["notes"] == {ROUND: 1}


def test_a_polygon_beside_a_bndbox_is_counted(tmp_path):
    write(tmp_path, bndbox(11, 6, 30, 25) + POLYGON)
    data = convert(tmp_path)
    assert data["annotations"][0]["bbox"] == [10, 5, 20, 20]
    assert data["info"]["notes"] == {BESIDE: 1}


def test_an_object_without_any_shape_says_what_it_has(tmp_path):
    write(tmp_path, "<pose>Left</pose>")
    with pytest.raises(FailedItems, match="no bndbox, but name, pose; give it a bndbox"):
        convert(tmp_path, hull=True)


def test_a_declared_encoding_gives_the_class_name(tmp_path):
    head = '<?xml version="1.0" encoding="gb2312"?>'
    write(tmp_path, bndbox(1, 1, 5, 5), name="渔船", encoding="gb2312", head=head)
    assert [c["name"] for c in convert(tmp_path)["categories"]] == ["渔船"]


def test_bytes_without_a_declaration_are_not_guessed(tmp_path):
    write(tmp_path, bndbox(1, 1, 5, 5), name="渔船", encoding="gbk")
    with pytest.raises(FailedItems, match=r"a\.xml: no text in UTF-8 .*save it as UTF-8"):
        convert(tmp_path)
