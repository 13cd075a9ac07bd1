"""YOLO data sets as darknet, ultralytics and Roboflow lay them out."""

import json

import pytest
from PIL import Image

from d2freq.data.convert.yolo import convert_yolo
from d2freq.data.convert.yolo_layout import find_yolo
from d2freq.errors import UserError

LABEL = "1 0.5 0.5 0.1 0.2\n"


def add(image, label=None):
    image.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (100, 80)).save(image)
    if label:
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(LABEL)


def names_of(source, tmp_path, **options):
    file = convert_yolo(source, tmp_path / "gt.json", workers=1, progress=False, **options)
    data = json.loads(file.read_text())
    assert all(a["category_id"] == 2 for a in data["annotations"])
    assert [a["bbox"] for a in data["annotations"]] == [pytest.approx([45, 32, 10, 16])] * len(
        data["annotations"]
    )
    return {image["file_name"] for image in data["images"]}, len(data["annotations"])


@pytest.fixture
def darknet(tmp_path):
    """As darknet's own instructions have it, written on another machine."""
    root = tmp_path / "dark net"
    for name in ("a", "b", "ü 1"):
        add(root / f"data/obj/{name}.jpg", root / f"data/obj/{name}.txt")
    add(root / "data/obj/bare.jpg")
    (root / "data/train.txt").write_text("data/obj/a.jpg\n/home/someone/x/data/obj/ü 1.jpg\n")
    (root / "data/valid.txt").write_text("data\\obj\\b.jpg\r\ndata/obj/bare.jpg\n")
    (root / "data/obj.names").write_text("ship\ncar\n")
    (root / "data/obj.data").write_text(
        "classes = 2\ntrain = data/train.txt\nvalid = data/valid.txt\nnames = data/obj.names\n"
        "backup = backup/\n"
    )
    return root


def test_darknet(darknet, tmp_path):
    about = darknet / "data/obj.data"
    assert names_of(about, tmp_path, split="train") == ({"a.jpg", "ü 1.jpg"}, 2)
    assert names_of(about, tmp_path, split="val") == ({"b.jpg", "bare.jpg"}, 1)
    assert names_of(darknet / "data", tmp_path, split="valid") == ({"b.jpg", "bare.jpg"}, 1)
    listed = darknet / "data/train.txt"
    assert names_of(listed, tmp_path, names="ship,car") == ({"a.jpg", "ü 1.jpg"}, 2)
    with pytest.raises(UserError, match=r"obj.data: no split '', known are train, valid.*--split"):
        names_of(about, tmp_path)
    listed.write_text("data/obj/gone.jpg\n")
    with pytest.raises(UserError, match=r"train.txt, line 1: data/obj/gone.jpg: no such file"):
        names_of(about, tmp_path, split="train")
    listed.write_text("data/obj/a.jpg\n./data/obj/a.jpg\n")
    with pytest.raises(UserError, match=r"line 2: ./data/obj/a.jpg again, which .*line 1"):
        names_of(about, tmp_path, split="train")


def test_data_yaml(tmp_path):
    root = tmp_path / "set"
    add(root / "train/images/a.jpg", root / "train/labels/a.txt")
    add(root / "valid/images/b.jpg", root / "valid/labels/b.txt")
    about = root / "data.yaml"
    about.write_text("train: ../train/images\nval: ../valid/images\nnames: [ship, car]\n")
    assert names_of(about, tmp_path, split="val") == ({"b.jpg"}, 1)
    assert names_of(root, tmp_path, split="valid") == ({"b.jpg"}, 1)
    with pytest.raises(UserError, match="the splits train, valid are folders.*--split"):
        names_of(root, tmp_path)
    about.write_text("path: /gone\ntrain: [train/images, valid/images]\nnames: [ship, car]\n")
    assert names_of(about, tmp_path, split="train") == (
        {"train/images/a.jpg", "valid/images/b.jpg"},
        2,
    )
    about.write_text("train: train/images\nkpt_shape: [2]\nnames: [ship, car]\n")
    with pytest.raises(UserError, match=r"kpt_shape \[2\] is no \[points, 2 or 3\]"):
        names_of(about, tmp_path, split="train")


def test_what_is_no_data_set_is_refused(darknet, tmp_path):
    about, listed = darknet / "data/obj.data", darknet / "data/train.txt"
    with pytest.raises(UserError, match="is a list of images itself; leave --split val out"):
        names_of(listed, tmp_path, split="val", names="ship,car")
    with pytest.raises(UserError, match="a.jpg: no folder, data.yaml, obj.data or list of images"):
        names_of(darknet / "data/obj/a.jpg", tmp_path)
    listed.write_text("data/obj/a.doc\n")
    with pytest.raises(UserError, match="line 1: 'data/obj/a.doc' is no image; a list has"):
        names_of(about, tmp_path, split="train")
    listed.write_text("\n")
    with pytest.raises(UserError, match="train.txt: no image in it"):
        names_of(about, tmp_path, split="train")
    about.write_text("train = data/train.txt\nclasses\n")
    with pytest.raises(UserError, match="line 2: 'classes' is no 'key = value', as darknet's"):
        names_of(about, tmp_path, split="train")


def test_faults_of_a_yaml(tmp_path):
    root = tmp_path / "set"
    add(root / "train/images/a.jpg", root / "train/labels/a.txt")
    about = root / "data.yaml"
    about.write_text("train: train\nnames: [ship, car]\n")  # images are in a folder below
    assert names_of(about, tmp_path, split="train") == ({"a.jpg"}, 1)
    about.write_text("train: list.txt\nnames: [ship, car]\n")
    (root / "list.txt").write_text(f"{root}/train/images/a.jpg\n")
    assert names_of(about, tmp_path, split="train") == ({"a.jpg"}, 1)
    about.write_text("train: train\nkpt_shape: [4, 3]\n")
    assert find_yolo(about, "train").kpt_shape() == (4, 3)
    for text, message in (
        ("train: gone/images\nnames: [ship, car]\n", "train: gone/images: no such folder or list"),
        ("names: [ship, car]\n", "no split 'train', known are none; choose one"),
        ("train: [a\nnames: {\n", "data.yaml: no YAML: "),
        ("[1, 2]\n", "no split 'train', known are none"),
    ):
        about.write_text(text)
        with pytest.raises(UserError, match=message):
            names_of(about, tmp_path, split="train")


def test_keypoints_and_the_yaml_that_names_is_told(tmp_path):
    root = tmp_path / "set"
    add(root / "images/a.jpg", root / "labels/a.txt")
    (root / "labels/a.txt").write_text("1 0.5 0.5 0.1 0.2 0.1 0.25 2 0.3 0.5 0\n")
    about = tmp_path / "elsewhere.yaml"
    about.write_text("names: [ship, car]\nkpt_shape: [2, 3]\n")
    output = tmp_path / "gt.json"
    convert_yolo(root, output, names=str(about), workers=1, progress=False)
    (found,) = json.loads(output.read_text())["annotations"]
    assert found["keypoints"] == pytest.approx([10, 20, 2, 30, 40, 0])
    assert found["num_keypoints"] == 1 and found["category_id"] == 2
