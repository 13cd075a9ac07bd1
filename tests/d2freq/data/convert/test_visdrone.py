"""VisDrone2019-DET to COCO, on label files as they are published, faults included."""

import json
import re
from pathlib import Path

import pytest
from detectron2.data.datasets import load_coco_json
from PIL import Image

from d2freq.data import check_coco
from d2freq.data.convert import visdrone
from d2freq.data.convert.images_to_coco import EMPTY, NO_LABELS, OVER_BORDER, describe_coco
from d2freq.data.convert.visdrone import convert_visdrone
from d2freq.errors import UserError
from d2freq.utils.jobs import FailedItems, parts_of

LABELS = {
    # score 1 with and without the trailing comma, Windows line ends, a byte order mark
    "0000001_00000_d_0000001": b"\xef\xbb\xbf684,8,273,116,0,0,0,0\r\n"
    b"406,119,10,5,1,4,0,1,\r\n255,22,12,6,0,1,1,2\r\n\r\n",
    # a region of others, spaces behind the commas, a car without height, one over the border
    "0000001_00000_d_0000002": b"1, 2, 30, 40, 1, 11, 0, 0\n611,158,4,0,1,4,0,0\n"
    b"950,530,20,20,1,10,1,0\n",
    "9999999_00000_d_0000003": b"",
}


@pytest.fixture
def source(tmp_path):
    """A miniature of VisDrone2019-DET-val; one image ends in .JPG, one is of another size."""
    root = tmp_path / "VisDrone2019-DET-val"
    for folder in ("images", "annotations"):
        (root / folder).mkdir(parents=True)
    for number, (name, lines) in enumerate(LABELS.items()):
        add(root, name, lines, "JPG" if number == 1 else "jpg", (960 + 40 * (number == 2), 540))
    return root


def add(root: Path, name: str, lines: bytes, ending: str = "jpg", size=(960, 540)) -> None:
    Image.new("RGB", size).save(root / "images" / f"{name}.{ending}", format="JPEG")
    (root / "annotations" / f"{name}.txt").write_bytes(lines)


def convert(source, output, **options):
    return convert_visdrone(source, output, progress=False, **{"workers": 1, **options})


def test_objects_crowds_and_regions(source, tmp_path):
    file = convert(source, tmp_path / "new" / "val.json")
    data = json.loads(file.read_text())
    assert [(i["id"], i["file_name"], i["width"], i["height"]) for i in data["images"]] == [
        (1, "0000001_00000_d_0000001.jpg", 960, 540),
        (2, "0000001_00000_d_0000002.JPG", 960, 540),
        (3, "9999999_00000_d_0000003.jpg", 1000, 540),
    ]
    regions = [image.get("ignore_regions") for image in data["images"]]
    assert regions == [[[684, 8, 273, 116]], None, None]
    others = [image.get("other_objects") for image in data["images"]]
    assert others == [None, [[1, 2, 30, 40]], None]
    names = {category["id"]: category["name"] for category in data["categories"]}
    assert list(names) == list(range(1, 11))
    assert (names[1], names[2], names[4], names[8], names[10]) == (
        *("pedestrian", "people", "car", "awning-tricycle", "motor"),
    )
    keys = ("id", "image_id", "category_id", "bbox", "iscrowd", "truncation", "occlusion")
    assert [tuple(a[key] for key in keys) for a in data["annotations"]] == [
        (1, 1, 4, [406, 119, 10, 5], 0, 0, 1),
        (2, 1, 1, [255, 22, 12, 6], 1, 1, 2),
        (3, 2, 10, [950, 530, 20, 20], 0, 1, 0),
    ]
    assert [a["area"] for a in data["annotations"]] == [50, 72, 400]
    assert data["info"]["notes"] == {EMPTY: 1, OVER_BORDER: 1}


def test_result_is_a_sound_coco_file(source, tmp_path):
    file = convert(source, tmp_path / "val.json")
    report = check_coco(file, source / "images", images="decode")
    report.raise_if_faulty()
    assert (report.images, report.annotations) == (3, 3)
    records = load_coco_json(str(file), str(source / "images"))
    assert [len(record["annotations"]) for record in records] == [2, 1, 0]
    assert Path(records[1]["file_name"]).is_file()


def test_counts_are_said(source, tmp_path):
    lines = describe_coco(convert(source, tmp_path / "val.json"))
    assert "3 images (1 without objects), 2 boxes" in lines[0]
    assert "1 ignored boxes (iscrowd), 2 ignore regions" in lines[0]
    assert "          1 motor" in lines and f"  1 {EMPTY}" in lines


def test_split_without_labels_is_images_alone(source, tmp_path):
    for file in (source / "annotations").iterdir():
        file.unlink()
    (source / "annotations").rmdir()
    data = json.loads(convert(source, tmp_path / "test.json").read_text())
    assert len(data["images"]) == 3 and not data["annotations"]
    assert data["info"]["notes"] == {NO_LABELS: 3}


BAD = {
    "short": (b"1,2,3,4,1,4,0\n", "short.txt, line 1: 7 fields"),
    "long": (b"1,2,3,4,1,4,0,0,7\n", "line 1: 9 fields"),
    "words": (b"1,2,3,4,1,4,0,0\n\n1,2,x,4,1,4,0,0\n", "words.txt, line 3: 'x' is no number"),
    "nan": (b"1,2,nan,4,1,4,0,0\n", "'nan' is no number"),
    "category": (b"1,2,3,4,1,12,0,0\n", "line 1: category 12, expected 0 to 11"),
    "score": (b"1,2,3,4,0.91,4,-1,-1\n", "score 0.91.*detections"),
    "binary": (b"\xff\xfe\x00", "no text in UTF-16.*save it as UTF-8"),
}


def test_every_bad_file_is_named_with_its_line(source, tmp_path):
    for name, (lines, _) in BAD.items():
        add(source, name, lines)
    add(source, "lonely_label", b"")
    (source / "images" / "lonely_label.jpg").unlink()
    add(source, "lonely_image", b"")
    (source / "annotations" / "lonely_image.txt").unlink()
    add(source, "torn", b"")
    (source / "images" / "torn.jpg").write_bytes(b"\xff\xd8\xff no picture")
    with pytest.raises(FailedItems, match="10 of 13 files failed") as caught:
        convert(source, tmp_path / "val.json")
    said = "\n".join(map(str, caught.value.failures))
    messages = [message for _, message in BAD.values()]
    messages += ["lonely_label.txt: no image", "lonely_image.jpg: no label", "torn.jpg: unreadable"]
    for message in messages:
        assert any(re.search(message, line) for line in said.split("\n"))
    assert not (tmp_path / "val.json").exists()


@pytest.mark.parametrize("folder", ["images", "annotations"])
def test_wrong_folder_is_said(source, tmp_path, folder):
    with pytest.raises(UserError, match="images: no such folder.*SOURCE"):
        convert(source / folder, tmp_path / "val.json")


def test_interrupted_run_goes_on_to_the_same_bytes(source, tmp_path, monkeypatch):
    for number in range(20):
        add(source, f"more_{number:02d}", b"1,2,3,4,1,4,0,0\n" * number)
    expected = convert(source, tmp_path / "whole.json").read_bytes()
    assert convert(source, tmp_path / "two.json", workers=2).read_bytes() == expected
    real, calls = visdrone.read_lines, []

    def counted(path):
        if stop_after is not None and len(calls) == stop_after:
            raise KeyboardInterrupt
        calls.append(path)
        return real(path)

    monkeypatch.setattr(visdrone, "read_lines", counted)
    stop_after = 9
    with pytest.raises(KeyboardInterrupt):
        convert(source, tmp_path / "cut.json")
    assert parts_of(tmp_path / "cut.json").is_dir() and not (tmp_path / "cut.json").exists()
    stop_after = None
    assert convert(source, tmp_path / "cut.json").read_bytes() == expected
    assert len(calls) == len(set(calls)) == 23
    assert not parts_of(tmp_path / "cut.json").exists()
