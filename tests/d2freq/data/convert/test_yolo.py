"""YOLO labels to COCO, on trees and files as training tools and exports leave them."""

import json
import re

import pytest
from detectron2.data.datasets import load_coco_json
from PIL import Image

from d2freq.data import check_coco
from d2freq.data.convert.images_to_coco import NO_LABELS, OVER_BORDER
from d2freq.data.convert.yolo import convert_yolo
from d2freq.data.convert.yolo_rows import CONFIDENCE
from d2freq.errors import UserError
from d2freq.utils.jobs import FailedItems

WIDTH, HEIGHT = 200, 100
LABELS = {
    "a": b"\xef\xbb\xbf1 0.5 0.5 0.1 0.2\r\n0 0.25 0.1 0.05 0.04\r\n",
    "b": b"0 0.5 0.5 0.5 0.5 0.875\n",
    "c": b"",
    "street/d": b"1 0.1 0.1 0.3 0.2 0.2 0.4\n2.0 0.995 0.5 0.02 0.1\n",
}


@pytest.fixture
def source(tmp_path):
    """images/ and labels/, one image without labels, one in a folder, one ending in .JPG."""
    root = tmp_path / "set"
    for name in (*LABELS, "bare"):
        add(root, name, LABELS.get(name), "JPG" if name == "b" else "png")
    (root / "data.yaml").write_text("train: images\nnc: 3\nnames: [ship, car, 'swimming pool']\n")
    return root


def add(root, name, lines, ending="png", split=""):
    image = root / "images" / split / f"{name}.{ending}"
    image.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT)).save(image)
    label = root / "labels" / split / f"{name}.txt"
    label.parent.mkdir(parents=True, exist_ok=True)
    if lines is not None:
        label.write_bytes(lines)


def convert(source, output, **options):
    file = convert_yolo(source, output, progress=False, **{"workers": 1, **options})
    return file, json.loads(file.read_text())


def test_boxes_are_pixels_and_classes_count_from_one(source, tmp_path):
    file, data = convert(source, tmp_path / "gt.json")
    assert [c["name"] for c in data["categories"]] == ["ship", "car", "swimming pool"]
    assert [c["id"] for c in data["categories"]] == [1, 2, 3]
    names = [image["file_name"] for image in data["images"]]
    assert names == ["a.png", "b.JPG", "bare.png", "c.png", "street/d.png"]
    found = [(a["image_id"], a["category_id"], *a["bbox"]) for a in data["annotations"]]
    assert found == [
        pytest.approx(row)
        for row in [
            (1, 2, 90, 40, 20, 20),
            (1, 1, 45, 8, 10, 4),
            (2, 1, 50, 25, 100, 50),
            (5, 2, 20, 10, 40, 30),  # the box of the triangle
            (5, 3, 197, 45, 4, 10),
        ]
    ]
    assert data["annotations"][0]["area"] == pytest.approx(400)
    triangle = data["annotations"][3]["segmentation"]
    assert triangle == [pytest.approx([20, 10, 60, 20, 40, 40])]
    wish = {NO_LABELS: 1, CONFIDENCE: 1, OVER_BORDER: 1}
    assert data["info"]["notes"] == wish
    check_coco(file, source / "images", images="decode").raise_if_faulty()
    records = load_coco_json(str(file), str(source / "images"))
    assert [len(record["annotations"]) for record in records] == [2, 1, 0, 0, 2]


def test_one_split(source, tmp_path):
    add(source, "e", b"0 0.5 0.5 0.1 0.1", split="val")
    _, data = convert(source, tmp_path / "val.json", split="val")
    assert [image["file_name"] for image in data["images"]] == ["e.png"]
    with pytest.raises(UserError, match="labels.nowhere|images.nowhere"):
        convert(source, tmp_path / "x.json", split="nowhere")


def test_names_from_every_place(source, tmp_path):
    def names(**options):
        _, data = convert(source, tmp_path / "gt.json", **options)
        return [category["name"] for category in data["categories"]]

    assert names(names="x, y,z") == ["x", "y", "z"]
    (tmp_path / "mine.txt").write_bytes(b"one\r\ntwo words\r\nthree\r\n")
    assert names(names=str(tmp_path / "mine.txt")) == ["one", "two words", "three"]
    (source / "data.yaml").write_text("names:\n  1: b\n  0: a\n  2: c\n")
    assert names() == ["a", "b", "c"]
    (source / "data.yaml").unlink()
    # LabelImg leaves its list among the labels, where it is no label file
    (source / "labels" / "classes.txt").write_text("p\nq\nr\n")
    assert names() == ["p", "q", "r"]
    (source / "labels" / "classes.txt").unlink()
    with pytest.raises(UserError, match=r"no class names: looked for .*data\.yaml.*--names"):
        names()
    # exports with a folder a split have it above
    (source.parent / "data.yaml").write_text("names: [k, l, m]\n")
    assert names() == ["k", "l", "m"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("names: {0: a, 2: b}", r"numbered \[0, 2\]"),
        ("names: [a, a]", "named twice"),
        ("nc: 3", "no 'names'"),
        ("names: [", "no YAML"),
        ("names: []", "without a name, or none"),
    ],
)
def test_bad_names_are_refused(source, tmp_path, content, message):
    (source / "data.yaml").write_text(content)
    with pytest.raises(UserError, match=message):
        convert(source, tmp_path / "gt.json")
    with pytest.raises(UserError, match=r"gone\.txt: no such file"):
        convert(source, tmp_path / "gt.json", names="gone.txt")


def test_images_and_labels_side_by_side(tmp_path):
    add(tmp_path, "a", b"0 0.5 0.5 0.1 0.2")
    for folder in ("images", "labels"):
        for file in (tmp_path / folder).iterdir():
            file.rename(tmp_path / file.name)
        (tmp_path / folder).rmdir()
    (tmp_path / "classes.txt").write_text("ship\n")
    _, data = convert(tmp_path, tmp_path / "gt.json")
    assert [image["file_name"] for image in data["images"]] == ["a.png"]
    assert len(data["annotations"]) == 1


def test_every_bad_file_is_named_with_its_line(source, tmp_path):
    bad = {
        "few": (b"0 0.5 0.5 0.1\n", r"few\.txt, line 1: 4 numbers"),
        "even": (b"0 0.1 0.1 0.2 0.2 0.3 0.3 0.4\n", "line 1: 8 numbers"),
        "pixels": (b"0 0.5 0.5 0.1 0.1\n0 90 45 20 10\n", "line 2: .*no shares"),
        "class": (b"3 0.5 0.5 0.1 0.1\n", "class 3, known are 0 to 2; add its name"),
        "half": (b"0.5 0.5 0.5 0.1 0.1\n", r"class 0\.5 .*columns stand in order"),
        "name": (b"ship 0.5 0.5 0.1 0.1\n", "'ship' is no number; write its place"),
        "nan": (b"0 0.5 nan 0.1 0.1\n", "'nan' is no number; correct it, or remove the object"),
        "commas": (b"0,.5,.5,.1,.1\n", "'0,.5,.5,.1,.1' is no number; part numbers by blanks"),
        "decimals": (b"0 0,5 0,5 0,1 0,1\n", "'0,5' is no number; .*decimals with a point"),
        "infinite": (b"0 0.5 inf 0.1 0.1\n", "'inf' is no number"),
    }
    for name, (lines, _) in bad.items():
        add(source, name, lines)
    (source / "labels" / "lonely.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    with pytest.raises(FailedItems, match="11 of 16") as caught:
        convert(source, tmp_path / "gt.json")
    said = [str(failure) for failure in caught.value.failures]
    for message in [*(message for _, message in bad.values()), r"lonely\.txt: no image"]:
        assert any(re.search(message, line) for line in said), message


def test_two_images_with_one_label_are_refused(source, tmp_path):
    Image.new("RGB", (8, 8)).save(source / "images" / "a.jpg")
    with pytest.raises(UserError, match=r"a\.jpg and a\.png share a label"):
        convert(source, tmp_path / "gt.json")


def test_two_processes_same_bytes(source, tmp_path):
    for number in range(12):
        add(source, f"more{number}", b"0 0.5 0.5 0.1 0.1\n" * number)
    one, _ = convert(source, tmp_path / "one.json")
    two, _ = convert(source, tmp_path / "two.json", workers=2)
    assert one.read_bytes() == two.read_bytes()


def test_labels_whose_names_differ_as_windows_and_macos_do_not_tell(tmp_path):
    for image, label in (("IMG.JPG", "img.txt"), ("caf\u00e9.png", "cafe\u0301.txt")):
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "labels").mkdir(exist_ok=True)
        Image.new("L", (10, 10)).save(tmp_path / "images" / image)
        (tmp_path / "labels" / label).write_text("0 .5 .5 .2 .2\n")
    assert len(convert(tmp_path, tmp_path / "gt.json", names="a")[1]["annotations"]) == 2
    # two that fit leave the choice to the user
    (tmp_path / "labels/Img.txt").write_text("0 .5 .5 .2 .2\n")
    with pytest.raises(FailedItems, match=r"no image of this name"):
        convert(tmp_path, tmp_path / "gt.json", names="a")
