"""``d2freq report``: a page from two files, with or without pictures; bad input is one line."""

import json

import pytest

from d2freq.cli import main

from ..inference.report.cases import as_results, made_run, page_data


@pytest.fixture
def files(tmp_path):
    """GT.json, DETECTIONS.json and a folder with the pictures under their names."""
    results, _, content = made_run(tmp_path)
    images = tmp_path / "images"
    images.mkdir()
    for image in content["images"]:
        image["file_name"] = f"{image['id']}.png"
        (tmp_path / image["file_name"]).rename(images / image["file_name"])
    for name, data in (("gt", content), ("found", as_results(results))):
        (tmp_path / f"{name}.json").write_text(json.dumps(data))
    return tmp_path


def run(folder, *options: str, found: str = "found.json") -> int:
    gt, detections = str(folder / "gt.json"), str(folder / found)
    return main(["report", gt, detections, "--output", str(folder / "out.html"), *options])


def test_a_page_with_pictures(files, capsys):
    assert run(files, "--images", str(files / "images"), "--title", "mine") == 0
    assert capsys.readouterr().out.strip() == str(files / "out.html")
    data = page_data(files / "out.html")
    assert data["title"] == "mine" and all(p["shown_width"] == 160 for p in data["pictures"])


def test_its_figures_are_those_of_evaluate(files, capsys):
    assert run(files, "--protocol", "coco") == 0
    arguments = [str(files / "gt.json"), str(files / "found.json"), "--output", str(files)]
    assert main(["evaluate", *arguments, "--protocol", "coco", "--score", "0.5"]) == 0
    record = json.loads((files / "tiny_results.json").read_text())
    told = page_data(files / "out.html")["truth"]
    row = dict(zip(told["table"]["columns"], told["table"]["rows"][0], strict=True))
    for key, value in row.items():
        assert value == (
            None if record["bbox"][key] is None else pytest.approx(record["bbox"][key])
        )
    best = record["score_cuts"]["all"]["best"]
    assert told["curves"][0]["best"] == pytest.approx([*best.values()])


def test_a_folder_gets_the_page(files):
    assert run(files, "--output", str(files / "images")) == 0
    assert len(page_data(files / "images" / "report.html")["pictures"]) == 4


def test_without_pictures_boxes_alone_are_drawn(files):
    assert run(files) == 0
    data = page_data(files / "out.html")
    assert data["title"] == "found.json" and len(data["pictures"]) == 4
    assert not any("shown_width" in picture for picture in data["pictures"])


def test_names_with_folders_are_found_by_their_last_part(files):
    content = json.loads((files / "gt.json").read_text())
    for image in content["images"]:
        image["file_name"] = f"val/{image['file_name']}"
    (files / "gt.json").write_text(json.dumps(content))
    assert run(files, "--images", str(files / "images")) == 0
    assert all("shown_width" in picture for picture in page_data(files / "out.html")["pictures"])


def test_missing_pictures_are_told_in_one_line(files, caplog):
    (files / "images" / "3.png").unlink()
    assert run(files, "--images", str(files / "images")) == 0
    first = caplog.records[0].message
    assert "1 of 4 pictures are missing" in first and "as 3.png" in first
    shown = ["shown_width" in picture for picture in page_data(files / "out.html")["pictures"]]
    assert shown == [True, True, False, True]


def change(files, **changed) -> None:
    rows = json.loads((files / "found.json").read_text())
    rows[0] |= changed
    (files / "found.json").write_text(json.dumps(rows))


@pytest.mark.parametrize(
    ("changed", "options", "message"),
    [
        (dict(image_id=99), (), "image ids that the ground truth does not have: 99 (1 x)"),
        (dict(category_id=7), (), "category ids that the ground truth does not have: 7 (1 x)"),
        (dict(bbox=[1, 2]), (), "entry 0 has bbox [1, 2], which is not four numbers"),
        ({}, ("--images", "nowhere"), "--images nowhere: no such folder"),
        ({}, ("--images", "."), "holds none of the 4 pictures, as 1.png"),
        ({}, ("--protocol", "cocoa"), "no evaluation protocol 'cocoa'; did you mean coco?"),
        ({}, ("--pictures", "0"), "--pictures and --megabytes must be above 0"),
        ({}, ("--megabytes", "nan"), "--pictures and --megabytes must be above 0"),
    ],
)
def test_bad_input_is_one_line(files, capsys, monkeypatch, changed, options, message):
    monkeypatch.chdir(files)
    change(files, **changed)
    assert run(files, *options) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (files / "out.html").exists()


def test_missing_files_are_one_line(files, capsys):
    assert run(files, found="nothing.json") == 2
    assert "nothing.json: no such file" in capsys.readouterr().err
