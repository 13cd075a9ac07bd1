"""``d2freq convert``: what it prints, exit code 2 with every bad file named, and going on."""

import json

import pytest
from PIL import Image

from d2freq.cli import main


@pytest.fixture
def yolo(tmp_path):
    """Twelve images with one object each."""
    root = tmp_path / "set"
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    for number in range(12):
        Image.new("RGB", (64, 48)).save(root / "images" / f"{number:02d}.png")
        (root / "labels" / f"{number:02d}.txt").write_text("0 0.5 0.5 0.25 0.25\n")
    (root / "classes.txt").write_text("ship\ncar\n")
    return root


def test_counts_are_printed(yolo, tmp_path, capsys):
    (yolo / "labels" / "03.txt").unlink()
    output = tmp_path / "gt.json"
    assert main(["convert", "yolo", str(yolo), "--output", str(output), "--workers", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{output}: 12 images (1 without objects), 11 boxes")
    assert [line.split() for line in lines[1:3]] == [["11", "ship"], ["0", "car"]]
    assert lines[3] == "  1 images without a label file, kept as images without objects"


def test_every_bad_file_is_listed_and_the_same_command_goes_on(yolo, tmp_path, capsys):
    bad = [yolo / "labels" / f"{number:02d}.txt" for number in (1, 4, 5, 9, 10)]
    for file in bad:
        file.write_text("7 0.5 0.5 0.25 0.25\n")
    command = ["convert", "yolo", str(yolo), "--output", str(tmp_path / "gt.json")]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert all(f"{file}, line 1: class 7" in error for file in bad)
    assert error.splitlines()[-1].startswith("d2freq: 5 of 12 files failed")
    assert (tmp_path / "gt.json.parts").is_dir() and not (tmp_path / "gt.json").exists()
    for file in bad:
        file.write_text("1 0.5 0.5 0.25 0.25\n")
    assert main(command) == 0
    assert not (tmp_path / "gt.json.parts").exists()
    fresh = ["convert", "yolo", str(yolo), "--output", str(tmp_path / "fresh.json")]
    assert main([*fresh, "--workers", "1"]) == 0
    assert (tmp_path / "fresh.json").read_bytes() == (tmp_path / "gt.json").read_bytes()


def test_other_options_do_not_mix_with_an_interrupted_run(yolo, tmp_path):
    (yolo / "labels" / "11.txt").write_text("9 0.5 0.5 0.25 0.25\n")
    command = ["convert", "yolo", str(yolo), "--output", str(tmp_path / "gt.json")]
    assert main(command) == 2
    (yolo / "labels" / "11.txt").write_text("0 0.5 0.5 0.25 0.25\n")
    assert main([*command, "--names", "boat,lorry"]) == 0
    data = json.loads((tmp_path / "gt.json").read_text())
    assert [category["name"] for category in data["categories"]] == ["boat", "lorry"]
    assert len(data["annotations"]) == 12


def test_voc_and_back_by_command(yolo, tmp_path, capsys):
    first, voc = tmp_path / "gt.json", tmp_path / "voc"
    assert main(["convert", "yolo", str(yolo), "--output", str(first)]) == 0
    assert main(["convert", "coco-to-voc", str(first), "--output", str(voc)]) == 0
    (yolo / "images").rename(voc / "JPEGImages")
    again = ["convert", "voc", str(voc), "--split", "gt", "--names", "ship,car"]
    assert main([*again, "--output", str(tmp_path / "back.json")]) == 0
    files = [json.loads(file.read_text()) for file in (first, tmp_path / "back.json")]
    assert files[0]["images"] == files[1]["images"]
    boxes = [[(a["category_id"], a["bbox"]) for a in file["annotations"]] for file in files]
    assert boxes[0] == boxes[1] == [(1, [24, 18, 16, 12])] * 12
    assert main(["convert", "coco-to-yolo", str(first), "--output", str(tmp_path / "yolo")]) == 0
    assert "labels of 12 images, 12 boxes" in capsys.readouterr().out


def test_tinyperson_by_command(tmp_path, capsys):
    Image.new("RGB", (70, 60)).save(tmp_path / "a.jpg")
    image = dict(id=0, file_name="a.jpg", width=70, height=60)
    box = dict(id=0, image_id=0, category_id=2, bbox=[3, 4, 5, 6], area=30, iscrowd=0)
    flags = dict(ignore=False, uncertain=True, logo=False, in_dense_image=False)
    kinds = [dict(id=1, name="sea_person"), dict(id=2, name="earth_person")]
    content = dict(type="instance", images=[image], annotations=[box | flags], categories=kinds)
    (tmp_path / "tiny_set_test.json").write_text(json.dumps(content))
    source = [str(tmp_path / "tiny_set_test.json"), "--images", str(tmp_path)]
    options = ["--size", "64", "48", "--overlap", "20", "--workers", "1"]
    wish = ["convert", "tinyperson", *source, "--output", str(tmp_path / "tiles"), *options]
    assert main(wish) == 0
    printed = capsys.readouterr().out
    assert "4 tiles" in printed and "1 uncertain boxes (iscrowd)" in printed
    assert main(["convert", "tinyperson", str(tmp_path / "no.json"), *wish[3:]]) == 2
    assert "no.json" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["visdrone", "yolo", "voc"])
def test_missing_source_is_one_line(tmp_path, capsys, what):
    output = ["--output", str(tmp_path / "gt.json")]
    names = [] if what == "visdrone" else ["--names", "a"]
    assert main(["convert", what, str(tmp_path / "nowhere"), *output, *names]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "no such folder" in error and "nowhere" in error
