"""A ``file_name`` that nearly fits: said as what it was found, mended where one file is meant."""

import json
import unicodedata

import pytest
from PIL import Image

from d2freq.cli import main
from d2freq.data import check_coco
from d2freq.data.coco.near_names import find_near
from tests.d2freq.coco_cases import coco

NFC, NFD = (unicodedata.normalize(form, "é 1.jpg") for form in ("NFC", "NFD"))
# what the file says, what lies there
ONE = {
    "backslash": ("images\\a.jpg", "a.jpg"),
    "leaving backslashes": ("..\\images\\b.jpg", "b.jpg"),
    "a folder in front": ("images/a.jpg", "a.jpg"),
    "a folder too few": ("a.jpg", "images/a.jpg"),
    "other case of the suffix": ("a.JPG", "a.jpg"),
    "other case of all": ("IMG_1.png", "img_1.PNG"),
    "no suffix": ("a", "a.jpg"),
    "no suffix but a dot": ("frame.01", "frame.01.png"),
    "jpeg": ("a.jpeg", "a.jpg"),
    "%20": ("a%20b.jpg", "a b.jpg"),
    "a blank for %20": ("a b.jpg", "a%20b.jpg"),
    "NFD for NFC": (NFD, NFC),
    "NFC for NFD": (NFC, NFD),
    "of another machine": ("C:\\Users\\me\\data\\a.jpg", "a.jpg"),
    "absolute": ("/home/me/images/train/a.jpg", "train/a.jpg"),
    "an address": ("https://host/files/a%20b.jpg?v=2", "a b.jpg"),
    "a dot in front": ("./images/./a.jpg", "a.jpg"),
}


def lay(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (100, 80)).save(folder / name, format="PNG")


def write(folder, *names):
    boxes = [{"bbox": [1, 1, 9, 9], "image_id": n} for n, _ in enumerate(names, start=1)]
    data = coco(boxes, images=range(1, len(names) + 1), size=(100, 80))
    for image, name in zip(data["images"], names, strict=True):
        image["file_name"] = name
    (folder / "truth.json").write_text(json.dumps(data))
    return folder / "truth.json"


@pytest.mark.parametrize("case", ONE)
def test_one_file_is_meant(case, tmp_path, capsys):
    name, there = ONE[case]
    root = tmp_path / "root"
    lay(root, there)
    file = write(tmp_path, name)
    words = ["validate", str(file), "--images", str(root)]
    assert main(words) == 2
    said = capsys.readouterr().out
    assert f"error: image under another name (1): {name}: found as {there}. --fix writes" in said
    assert "--drop-missing" not in said and "missing image" not in said
    fixed = tmp_path / "fixed.json"
    assert main([*words, "--fix", str(fixed), "--drop-missing"]) == 0  # which finds none to drop
    assert "fix: changed 1 image, image under another name" in capsys.readouterr().out
    assert [i["file_name"] for i in json.loads(fixed.read_text())["images"]] == [there]
    assert check_coco(fixed, root).ok


@pytest.mark.parametrize(
    ("names", "there", "said"),
    [
        (["a.jpg"], ["train/a.jpg", "val/a.jpg"], "found as train/a.jpg or val/a.jpg"),
        (["a"], ["a.jpg", "a.png"], "found as a.jpg or a.png"),
        (["a.jpg", "old/a.jpg"], ["a.jpg"], "found as a.jpg, which other records name, too"),
        (["x/a.jpg", "y/a.jpg"], ["a.jpg"], "found as a.jpg, which other records name, too"),
    ],
)
def test_what_several_may_mean_is_not_guessed(names, there, said, tmp_path, capsys):
    root = tmp_path / "root"
    lay(root, *there)
    file = write(tmp_path, *names)
    words = ["validate", str(file), "--images", str(root), "--fix", str(tmp_path / "fixed.json")]
    assert main([*words, "--drop-missing"]) == 2
    out = capsys.readouterr()
    assert f"{said}" in out.out and "image under several names" in out.out
    assert "not written" in out.err and not (tmp_path / "fixed.json").exists()


def test_folders_that_both_have_decide(tmp_path):
    lay(tmp_path, "train/a.jpg", "val/a.jpg", "b.jpg", "B.jpg")
    found = find_near(["images/val/a.jpg", "other/c.jpg", "x/b.jpg"], tmp_path)
    assert {name: near.only for name, near in found.items()} == {
        "images/val/a.jpg": "val/a.jpg",
        "x/b.jpg": "b.jpg",
    }


def test_a_picture_of_another_format_is_not_taken(tmp_path):
    lay(tmp_path, "a.png")  # which may be a mask
    assert find_near(["a.jpg"], tmp_path) == {}


def test_two_of_three_are_kept_where_one_is_gone(tmp_path, capsys):
    root = tmp_path / "root"
    lay(root, "a.jpg", "b.jpg")
    file = write(tmp_path, "images\\a.jpg", "..\\images\\b.jpg", "gone.jpg")
    words = ["validate", str(file), "--images", str(root), "--fix", str(tmp_path / "fixed.json")]
    assert main(words) == 2
    assert "missing image (1): " in capsys.readouterr().out
    assert main([*words, "--drop-missing"]) == 0
    assert "2 of 3 images, 2 of 3 annotations left" in capsys.readouterr().out
