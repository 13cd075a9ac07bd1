"""Segmentations in another notation than COCO's: named with the record, read where possible."""

import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from d2freq.cli import main
from d2freq.data.coco.outlines import outline_ill, plain_outline
from d2freq.data.coco.run_lengths import lengths_of_text
from tests.d2freq.coco_cases import coco

NAN = float("nan")
TRIANGLE = [[1, 1, 9, 1, 9, 9]]
# what is written, what is said of it
UNREADABLE = {
    "NaN": ([[1, 1, NAN, 1, 9, 9]], "NaN or infinity in a polygon"),
    "infinity": ([[1, 1, 1e999, 1, 9, 9]], "NaN or infinity"),
    "another object": ({"x": 1}, "an object without size and counts"),
    "no counts": ({"size": [80, 100]}, "an object without counts"),
    "bad text": ({"size": [80, 100], "counts": "a\u00e9 b"}, "has the letter"),
    "text cut off": ({"size": [80, 100], "counts": "PXf"}, "breaks off"),
    "lengths that do not sum": ({"size": [80, 100], "counts": [10, 5]}, "sum to 15, not to 80 x"),
    "text that does not sum": ({"size": [80, 100], "counts": "52"}, "sum to 7"),
    "negative length": ({"size": [80, 100], "counts": [8010, -10]}, "no whole numbers"),
    "of another size": ({"size": [100, 80], "counts": [8000]}, "its image is 80 x 100"),
    "size of text": ({"size": "80x100", "counts": [8000]}, "of the size '80x100'"),
    "words": ([["a", "b", "c", "d", "e", "f"]], "numbers as text"),
    "a text": ("polygon", "'polygon'"),
    "null in a polygon": ([[1, 1, None, 1, 9, 9]], "NoneType in a polygon"),
}
READABLE = {
    "text numbers": [["1", "1", "9", "1", "9", "9"]],
    "nested pairs": [[[1, 1], [9, 1], [9, 9]]],
    "pairs": [[1, 1], [9, 1], [9, 9]],
    "a level too few": [1, 1, 9, 1, 9, 9],
    "a level too many": [[[1, 1, 9, 1, 9, 9]]],
    "a polygon of GeoJSON in a list": [[[[1, 1], [9, 1], [9, 9]]]],
    "points as objects": [{"x": 1, "y": 1}, {"x": 9, "y": 1}, {"x": 9, "y": 9}],
    "pairs of text": [[["1", "1"], ["9", "1"], ["9", "9"]]],
}


def run(tmp_path, capsys, outline):
    box = {"bbox": [1, 1, 8, 8], "segmentation": outline}
    data = coco([{"bbox": [50, 50, 5, 5]}, box], size=(100, 80))
    file, fixed = tmp_path / "truth.json", tmp_path / "fixed.json"
    file.write_text(json.dumps(data))
    assert main(["validate", str(file)]) == 2
    said = capsys.readouterr().out
    assert main(["validate", str(file), "--fix", str(fixed)]) == 0
    changed = capsys.readouterr().out
    return said, changed, json.loads(fixed.read_text())["annotations"][1]["segmentation"]


@pytest.mark.parametrize("case", UNREADABLE)
def test_an_unreadable_one_is_named(case, tmp_path, capsys):
    outline, why = UNREADABLE[case]
    said, changed, left = run(tmp_path, capsys, outline)
    assert "error: malformed segmentation (1): annotation 2 of image 1 has " in said
    assert why in said
    assert left == [] and "changed 1 annotation, malformed segmentation" in changed


@pytest.mark.parametrize("case", READABLE)
def test_one_of_one_reading_is_written_plainly(case, tmp_path, capsys):
    said, changed, left = run(tmp_path, capsys, READABLE[case])
    assert "error: malformed segmentation (1): annotation 2 of image 1 has " in said
    assert left == TRIANGLE
    assert f"has segmentation {TRIANGLE}, was " in changed


def test_run_lengths_as_text_numbers_are_read(tmp_path, capsys):
    _, _, left = run(tmp_path, capsys, {"size": ["80", "100"], "counts": ["4000", "4000"]})
    assert left == {"size": [80, 100], "counts": [4000, 4000]}


def test_a_part_without_three_points_is_noted():
    assert outline_ill([*TRIANGLE, [3, 3]]) == ("partly hollow", "")
    assert outline_ill([[3, 3, 4, 4]]) == ("hollow", "")
    assert plain_outline([[[1, 1], [2, 2]]]) is None
    assert plain_outline([[[[1, 1], [9, 1], [9, 9]], [[2, 2], [3, 2], [3, 3]]]]) is None  # a hole?


@pytest.mark.parametrize("seed", range(6))
def test_text_is_read_as_pycocotools_does(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 60, 2).tolist()
    pixels = np.repeat(rng.random((height, width)) < 0.5, 7, axis=1).astype(np.uint8)
    mask = coco_mask.encode(np.asfortranarray(pixels))
    runs = np.flatnonzero(np.diff(np.concatenate([[0], pixels.T.ravel()])))
    expected = np.diff(np.concatenate([[0], runs, [pixels.size]])).tolist()
    assert lengths_of_text(mask["counts"].decode()) == expected
    assert outline_ill({**mask, "counts": mask["counts"].decode()}, (height, 7 * width)) == ("", "")
