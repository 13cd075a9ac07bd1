"""CSV, read by Python's own reader."""

import csv
from dataclasses import replace

from d2freq.inference.detections import PictureResult
from d2freq.inference.outputs import RunInfo, write_outputs

from ..cases import NAMES, found, picture, three_pictures


def rows_of(results, folder, names=NAMES) -> list[dict]:
    (path,) = write_outputs(results, folder, RunInfo(names), ["csv"])
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_for_each_detection(tmp_path):
    one, other = rows_of(three_pictures(), tmp_path)
    assert one["picture"] == "a/scene.png" and one["class"] == "ship" and one["frame"] == ""
    assert [float(one[key]) for key in ("x", "y", "width", "height")] == [10.25, 20.5, 8.5, 10.5]
    assert float(one["score"]) == 0.9 and other["category_id"] == "2"


def test_names_with_commas_quotes_and_lines_come_back(tmp_path):
    names = ('a "big", ship', "two\nlines")
    result = PictureResult(picture("öl,1.png", 1, frame=12), found((0, 0, 2, 2, 0.5, 0)))
    result = replace(result, detections=replace(result.detections, names=names))
    (row,) = rows_of([result], tmp_path, names)
    assert row["class"] == names[0] and row["picture"] == "öl,1.png" and row["frame"] == "12"


def test_no_name_is_run_as_a_formula(tmp_path):
    names = ("=HYPERLINK(1)", "@x")
    result = PictureResult(picture("+1.png", 1), found((0, 0, 2, 2, 0.5, 0), (0, 0, 2, 2, 0.4, 1)))
    rows = rows_of([result], tmp_path, names)
    assert [row["class"] for row in rows] == ["'=HYPERLINK(1)", "'@x"]
    assert rows[0]["picture"] == "'+1.png"
