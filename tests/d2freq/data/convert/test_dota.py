"""DOTA's own folders and label files, nasty parts included, to COCO and to tiles."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from detectron2.data.datasets import load_coco_json
from PIL import Image

from d2freq.cli import main
from d2freq.data import check_coco
from d2freq.data.builtin import DOTA_V1, DOTA_V2
from d2freq.data.convert.dota import CLASSES, convert_dota, read_dota
from d2freq.data.convert.dota_labels import find_dota, read_labels
from d2freq.errors import UserError

# as in the published files, and what turns up in copies of them
LABELS = {
    "P0001": b"imagesource:GoogleEarth\r\ngsd:0.146343590398\r\n"
    b"10.0 20.0 30.0 12.0 34.0 22.0 14.0 30.0 small-vehicle 0\r\n"
    b"60.0 20.0 70.0 20.0 70.0 40.0 60.0 40.0 ship 1\r\n",
    "P0002": b"\xef\xbb\xbfImageSource:GF-2\ngsd:null\n\n"
    b"5 5 9 5 9 9 5 9 Plane\n"
    b"20,30,26,30,26,36,20,36,Storage Tank,0\n   \n"
    b"50 50 58 50 58 60 50 60 large-vehicle 2",
    "P0003": b"",
}


@pytest.fixture
def split(tmp_path) -> Path:
    """The tree of DOTA-v1.0's train folder as unpacked, with the horizontal labels beside."""
    root = tmp_path / "train"
    for number, (name, text) in enumerate(LABELS.items()):
        folder = root / "images" / f"part{1 + number // 2}" / "images"
        folder.mkdir(parents=True, exist_ok=True)
        kind = "L" if name == "P0002" else "RGB"
        Image.new(kind, (100, 80), 40 if kind == "L" else (number, 0, 9)).save(
            folder / f"{name}.png"
        )
        for place in (
            "labelTxt-v1.0/labelTxt",
            "labelTxt-v1.0/Train_Task2_gt/trainset_reclabelTxt",
        ):
            (root / place).mkdir(parents=True, exist_ok=True)
            broken = b"" if "Task2" in place else text
            (root / place / f"{name}.txt").write_bytes(broken)
    return root


def test_nasty_label_files_are_read(split):
    data, notes = read_dota(split)
    names = {c["id"]: c["name"] for c in data["categories"]}
    found = [(a["image_id"], names[a["category_id"]], a["bbox"]) for a in data["annotations"]]
    assert found == [
        (1, "small-vehicle", [10, 12, 24, 18]),
        (1, "ship", [60, 20, 10, 20]),
        (2, "plane", [5, 5, 4, 4]),
        (2, "storage-tank", [20, 30, 6, 6]),
        (2, "large-vehicle", [50, 50, 8, 10]),
    ]
    first = data["annotations"][0]
    assert first["segmentation"] == [[10, 20, 30, 12, 34, 22, 14, 30]] and first["area"] == 24 * 18
    assert [a["difficult"] for a in data["annotations"]] == [0, 1, 0, 0, 1]
    assert [a["iscrowd"] for a in data["annotations"]] == [0, 1, 0, 0, 1]
    assert notes == {"objects with the flag difficult, ignored": 2}
    assert [image["file_name"] for image in data["images"]] == [
        "part1/images/P0001.png",
        "part1/images/P0002.png",
        "part2/images/P0003.png",
    ]
    kept, notes = read_dota(split, difficult="keep")
    assert not any(a["iscrowd"] for a in kept["annotations"])
    assert notes == {"objects with the flag difficult, kept as any other": 2}


def test_tiles_of_dota(split, tmp_path, capsys):
    output = tmp_path / "tiles"
    words = ["convert", "dota", str(split), "--output", str(output), "--size", "64", "--overlap"]
    assert main([*words, "16", "--workers", "1"]) == 0
    text = capsys.readouterr().out
    assert "12 tiles and 0 copies of 3 images" in text
    assert "2 objects with the flag difficult, ignored" in text
    file = output / "annotations.json"
    data = json.loads(file.read_text())
    assert check_coco(file, output / "images", images="decode").ok
    assert check_coco(output / "originals.json", split / "images").ok
    assert [c["name"] for c in data["categories"]] == list(DOTA_V1)
    assert len(load_coco_json(str(file), str(output / "images"))) == 12
    grey = next(i for i in data["images"] if i["tile"]["file_name"] == "part1/images/P0002.png")
    pixels = np.array(Image.open(output / "images" / grey["file_name"]))
    assert pixels.shape == (64, 64, 3) and (pixels == 40).all()
    ship = [a for a in data["annotations"] if a["original_id"] == 2]
    assert all(a["iscrowd"] and a["difficult"] == 1 for a in ship)
    cut = [a for a in ship if "visible" in a]
    assert [a["visible"] for a in cut if a["bbox"] == [60, 20, 4, 20]] == [pytest.approx(0.4)]


def testclasses_of_each_version_in_published_order():
    assert [len(CLASSES[v]) for v in ("1.0", "1.5", "2.0")] == [15, 16, 18]
    assert CLASSES["1.5"] == (*DOTA_V1, "container-crane")
    assert CLASSES["2.0"] == DOTA_V2 == (*DOTA_V1, "container-crane", "airport", "helipad")


def test_faulty_lines_are_counted_and_named(split):
    wrong = b"1 2 3 4 5 6 7 8 container-crane 0\n1 2 3 4 ship 0\n1 2 3 4 5 6 7 nan ship 0\n"
    wrong += b"1 2 3 4 5 6 7 8 ship 7\n"
    (split / "labelTxt-v1.0" / "labelTxt" / "P0003.txt").write_bytes(wrong)
    with pytest.raises(
        UserError, match=r"4 lines are no objects of DOTA-v1\.0.*and 1 more"
    ) as info:
        read_dota(split)
    assert "P0003.txt, line 1: class 'container-crane' is none" in str(info.value)
    assert "--version" in str(info.value)
    _, faults = read_labels(split / "labelTxt-v1.0/labelTxt/P0003.txt", CLASSES["1.5"])
    assert ["line 1" in f for f in faults] == [False] * 3
    assert "6 words" in faults[0] and "'nan' is no number" in faults[1]
    assert "difficult is 7" in faults[2]


def test_labels_of_another_version_are_not_taken(split):
    with pytest.raises(UserError, match=r"no labels of version 2\.0: looked for labelTxt-v2\.0"):
        find_dota(split, version="2.0")
    newer = split / "labelTxt-v2.0" / "DOTA-v2.0_train"
    newer.mkdir(parents=True)
    (newer.with_name("DOTA-v2.0_train_hbb")).mkdir()
    (newer.with_name("DOTA-v2.0_train_hbb") / "P0001.txt").write_bytes(b"")
    (newer / "P0001.txt").write_bytes(b"1 1 9 1 9 9 1 9 helipad 0\n")
    data, notes = read_dota(split, version="2.0")
    assert [a["category_id"] for a in data["annotations"]] == [18]
    assert notes == {"images without a label file left out": 2}


def test_plain_label_folders_serve_any_version(split):
    (split / "labelTxt-v1.0" / "labelTxt").rename(split / "labelTxt")
    assert [len(find_dota(split, version=v)[0]) for v in ("1.0", "1.5", "2.0")] == [3, 3, 3]


def test_missing_and_doubled_files_are_named(split):
    (split / "images/part2/images/P0003.png").unlink()
    with pytest.raises(UserError, match=r"1 label files have no image.*P0003\.txt; unpack all"):
        find_dota(split, version="1.0")
    Image.new("L", (9, 9)).save(split / "images/P0001.png")
    with pytest.raises(UserError, match=r"P0001\.png and .*P0001\.png have one name"):
        find_dota(split, version="1.0")
    with pytest.raises(UserError, match="no such folder"):
        find_dota(split / "nowhere", version="1.0")


@pytest.mark.parametrize(
    ("options", "message"), [({"version": "3"}, "1.0, 1.5, 2.0"), ({"difficult": "x"}, "keep")]
)
def test_unknown_choices_are_refused(split, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        convert_dota(split, tmp_path / "out", **options)


def test_what_is_left_out_names_label_file_and_line(split, tmp_path, caplog):
    lines = b"gsd:0.3\n1 1 9 1 9 9 1 9 ship 0\n-9 -9 -1 -9 -1 -1 -9 -1 ship 0\n"
    (split / "labelTxt-v1.0" / "labelTxt" / "P0001.txt").write_bytes(lines)
    file = convert_dota(split, tmp_path / "tiles", workers=1, progress=False)
    said = next(r.getMessage() for r in caplog.records if "outside" in r.getMessage())
    assert re.search(r"annotation 2 of image 1 \(.*P0001\.txt, line 3\) has bbox", said)
    assert "label_line" not in file.read_text()
    assert "label_line" not in file.with_name("originals.json").read_text()


def test_images_without_labels_are_cut_as_the_test_set(split, tmp_path, capsys):
    shutil.rmtree(split / "labelTxt-v1.0")
    words = ["convert", "dota", str(split), "--output", str(tmp_path / "tiles"), "--workers", "1"]
    assert main(words) == 2
    assert "take the images alone with --no-labels (test sets)" in capsys.readouterr().err
    assert main([*words, "--no-labels"]) == 0
    data = json.loads((tmp_path / "tiles/annotations.json").read_text())
    assert len(data["images"]) == 3 and data["annotations"] == []
