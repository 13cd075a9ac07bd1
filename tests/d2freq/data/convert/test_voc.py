"""Pascal VOC to COCO, on XML as VOC and labelling tools write it."""

import json
import re

import pytest
from detectron2.data.datasets import load_coco_json
from PIL import Image

from d2freq.data import check_coco
from d2freq.data.convert.images_to_coco import EMPTY
from d2freq.data.convert.voc import NO_XML, OTHER_SIZE, PARTS, convert_voc
from d2freq.data.convert.voc_shapes import SWAPPED
from d2freq.errors import UserError
from d2freq.utils.jobs import FailedItems


def thing(name, xmin, ymin, xmax, ymax, extra=""):
    sides = f"<xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax>"
    return f"<object><name>{name}</name>{extra}<bndbox>{sides}</bndbox></object>"


def document(*things, size=(60, 40)):
    sides = f"<width>{size[0]}</width><height>{size[1]}</height><depth>3</depth>"
    return f"<annotation><folder>VOC2007</folder><size>{sides}</size>{''.join(things)}</annotation>"


PART = (
    "<difficult>0</difficult><truncated>1</truncated><part><name>head</name><bndbox>"
    "<xmin>7</xmin><ymin>7</ymin><xmax>8</xmax><ymax>8</ymax></bndbox></part>"
)
DOCUMENTS = {
    "000001": document(thing("ship", 11, 21, 20, 22, PART), thing("car", 1, 1, 60, 40)),
    "000002": "\ufeff<?xml version='1.0' encoding='utf-8'?>\r\n"
    + document(thing(" car\r\n", 5, 5, 5, 5, "<difficult>1</difficult>"), size=(0, 0)),
    "000003": document(size=(61, 40)),
    "000004": document(thing("plane", 3.5, "4.25", 9, 10), thing("plane", 9, 9, 8, 12)),
}


@pytest.fixture
def source(tmp_path):
    """A miniature of VOC2007; one image ends in .JPG, one has no XML file."""
    root = tmp_path / "VOC2007"
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    for name in (*DOCUMENTS, "000005"):
        ending = "JPG" if name == "000002" else "jpg"
        Image.new("RGB", (60, 40)).save(root / "JPEGImages" / f"{name}.{ending}", format="JPEG")
    for name, text in DOCUMENTS.items():
        (root / "Annotations" / f"{name}.xml").write_bytes(text.encode())
    (root / "ImageSets/Main/val.txt").write_bytes(b"000004\r\n000002\r\n")
    (root / "ImageSets/Main/ship_val.txt").write_text("000004 -1\n000001  1\n")
    (root / "ImageSets/Main/test.txt").write_text("000004\n000005\n")
    return root


def convert(source, output, **options):
    file = convert_voc(source, output, progress=False, **{"workers": 1, **options})
    return file, json.loads(file.read_text())


def test_pixels_count_from_one_and_the_last_belongs_to_the_box(source, tmp_path):
    file, data = convert(source, tmp_path / "gt.json")
    names = {category["id"]: category["name"] for category in data["categories"]}
    assert names == {1: "car", 2: "plane", 3: "ship"}
    found = [(a["image_id"], names[a["category_id"]], a["bbox"]) for a in data["annotations"]]
    assert found == [
        (1, "ship", [10, 20, 10, 2]),
        (1, "car", [0, 0, 60, 40]),
        (2, "car", [4, 4, 1, 1]),
        (4, "plane", [2.5, 3.25, 6.5, 6.75]),
    ]
    assert [a["area"] for a in data["annotations"][:3]] == [20, 2400, 1]
    assert data["info"]["notes"] == {EMPTY: 1, NO_XML: 1, OTHER_SIZE: 1, PARTS: 1}
    assert data["images"][1]["file_name"] == "000002.JPG"
    check_coco(file, source / "JPEGImages", images="decode").raise_if_faulty()
    records = load_coco_json(str(file), str(source / "JPEGImages"))
    assert [len(record["annotations"]) for record in records] == [2, 1, 0, 1]


def test_flags_stay_and_difficult_is_a_crowd(source, tmp_path):
    _, data = convert(source, tmp_path / "gt.json")
    flags = [
        {k: a[k] for k in ("iscrowd", "difficult", "truncated") if k in a}
        for a in data["annotations"]
    ]
    assert flags == [
        {"iscrowd": 0, "difficult": 0, "truncated": 1},
        {"iscrowd": 0},
        {"iscrowd": 1, "difficult": 1},
        {"iscrowd": 0},
    ]


def test_edges_from_zero(source, tmp_path):
    _, data = convert(source, tmp_path / "gt.json", one_based=False)
    assert data["annotations"][0]["bbox"] == [11, 21, 9, 1]
    assert data["info"]["notes"][EMPTY] == 1  # 5 to 5 has no width
    assert data["info"]["notes"][SWAPPED] == 1  # 9 to 8 has one, read from right to left


@pytest.mark.parametrize(
    ("split", "names"),
    [("val", ["000004.jpg", "000002.JPG"]), ("ship_val", ["000004.jpg", "000001.jpg"])],
)
def test_a_split_is_its_list_in_its_order(source, tmp_path, split, names):
    _, data = convert(source, tmp_path / "gt.json", split=split)
    assert [image["file_name"] for image in data["images"]] == names


def test_faults_of_a_split_are_said(source, tmp_path):
    with pytest.raises(UserError, match=r"train\.txt: no such file; --split"):
        convert(source, tmp_path / "gt.json", split="train")
    with pytest.raises(FailedItems, match=r"000005\.jpg: in the split, but without an XML"):
        convert(source, tmp_path / "gt.json", split="test")
    (source / "ImageSets/Main/odd.txt").write_text("000004\n77\n")
    with pytest.raises(UserError, match=r"odd\.txt, line 2: 77 is neither"):
        convert(source, tmp_path / "gt.json", split="odd")


def test_names_give_order_and_refuse_others(source, tmp_path):
    _, data = convert(source, tmp_path / "gt.json", names="ship,plane,car,bus")
    assert [c["name"] for c in data["categories"]] == ["ship", "plane", "car", "bus"]
    assert data["annotations"][0]["category_id"] == 1
    with pytest.raises(FailedItems, match="class 'plane'; known are ship, car; name it"):
        convert(source, tmp_path / "gt.json", names="ship,car")


def test_every_bad_file_is_named_with_its_object(source, tmp_path):
    bomb = "<!DOCTYPE a [<!ENTITY b 'ha'><!ENTITY c '&b;&b;'>]>"
    bad = {
        "cut": (document(thing("ship", 1, 1, 2, 2))[:90], "no whole XML"),
        "empty": ("", "an empty file"),
        "bomb": (bomb + document(), "defines entities"),
        "nobox": (document("<object><name>ship</name></object>"), "object 1: no bndbox, but name"),
        "text": (document(thing("a", 1, 1, 2, 2), thing("b", 1, "?", 2, 2)), "object 2, ymin: '.'"),
        "nameless": (document(thing("", 1, 1, 2, 2)), "object 1: class ''; give the object a name"),
        "flag": (
            document(thing("a", 1, 1, 2, 2, "<difficult>yes</difficult>")),
            "object 1, difficult: 'yes' is neither 0 nor 1; write one",
        ),
        "lonely": (document(), r"lonely\.xml: no image"),
    }
    for name, (text, _) in bad.items():
        (source / "Annotations" / f"{name}.xml").write_text(text)
        if name != "lonely":
            Image.new("RGB", (60, 40)).save(source / "JPEGImages" / f"{name}.png")
    with pytest.raises(FailedItems, match="8 of 12") as caught:
        convert(source, tmp_path / "gt.json")
    said = [str(failure) for failure in caught.value.failures]
    for _, message in bad.values():
        assert any(re.search(message, line) for line in said), message


def test_two_processes_same_bytes(source, tmp_path):
    for number in range(12):
        name = f"more{number}"
        Image.new("RGB", (60, 40)).save(source / "JPEGImages" / f"{name}.jpg")
        text = document(*[thing(f"class{number}", 1, 1, 4, 4)] * number)
        (source / "Annotations" / f"{name}.xml").write_text(text)
    one, _ = convert(source, tmp_path / "one.json")
    two, _ = convert(source, tmp_path / "two.json", workers=2)
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("space", ['xmlns="x"', 'xmlns:v="x"'])
def test_objects_are_found_in_every_namespace(tmp_path, space):
    prefix = "v:" if ":v" in space else ""
    sides = dict(xmin=3, ymin=4, xmax=8, ymax=9)
    box = "".join(f"<{prefix}{k}>{v}</{prefix}{k}>" for k, v in sides.items())
    thing = f"<{prefix}name>ship</{prefix}name><{prefix}bndbox>{box}</{prefix}bndbox>"
    text = f"<{prefix}object>{thing}</{prefix}object>"
    (tmp_path / "a.xml").write_text(f"<{prefix}annotation {space}>{text}</{prefix}annotation>")
    Image.new("L", (20, 10)).save(tmp_path / "a.png")
    file = convert_voc(tmp_path, tmp_path / "gt.json", workers=1, progress=False)
    (found,) = json.loads(file.read_text())["annotations"]
    assert found["bbox"] == [2, 3, 6, 6]
