"""Formats by name, and results that no file can hold."""

import numpy as np
import pytest

from d2freq.errors import UserError
from d2freq.inference.detections import PictureResult
from d2freq.inference.outputs import WRITERS, RunInfo, summary_of, write_outputs

from ..cases import NAMES, found, picture, three_pictures


def test_every_format_says_what_it_is():
    assert all(10 < len(summary_of(name)) < 100 for name in WRITERS)


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UserError, match="--format: 'cvs' is unknown; choose one of coco, csv"):
        write_outputs(three_pictures(), tmp_path, RunInfo(NAMES), ["csv", "cvs"])
    assert not list(tmp_path.iterdir())


def bad(**changed) -> list[PictureResult]:
    rows = {"box": (1, 1, 3, 3), "score": 0.5, "kind": 0} | changed
    return [PictureResult(picture("a.png", 1), found((*rows["box"], rows["score"], rows["kind"])))]


@pytest.mark.parametrize(
    ("results", "run", "message"),
    [
        (bad(kind=2), RunInfo(NAMES), "a.png: a detection has class 2, but the model has 2"),
        (bad(box=(np.nan, 1, 2, 2)), RunInfo(NAMES), "a.png: detection 0 has the box .nan"),
        (bad(score=np.inf), RunInfo(NAMES), "score inf"),
        (bad(), RunInfo(NAMES, category_ids=(1, 1)), "do not fit the 2 class names"),
        (bad() * 2, RunInfo(NAMES), "both have the image_id 1"),
        (
            [*bad(), PictureResult(picture("a.png", 2, path="x/a.png"))],
            RunInfo(NAMES),
            "x/a.png and a.png both have the name 'a.png'",
        ),
    ],
)
def test_results_that_no_file_can_hold(tmp_path, results, run, message):
    with pytest.raises(UserError, match=message):
        write_outputs(results, tmp_path, run, ["coco", "csv"])
    assert not list(tmp_path.iterdir())


def grey(picture, window, size) -> np.ndarray:
    return np.full((size[1], size[0], 3), 90, np.uint8)


def test_files_are_replaced_whole(tmp_path):
    write_outputs(three_pictures(), tmp_path, RunInfo(NAMES, read=grey), WRITERS)
    first = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    write_outputs(three_pictures(), tmp_path, RunInfo(NAMES, read=grey), WRITERS)
    assert first == {p.name: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert not [name for name in first if "draft" in name]
