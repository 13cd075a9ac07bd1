"""Files are written whole or not at all."""

import json
import os

import numpy as np
import pytest

from d2freq.errors import DatasetError
from d2freq.utils.files import replacing, without_nan, write_json, write_text


def test_numpy_numbers_are_numbers(tmp_path):
    box = {"bbox": np.array([1.5, 2.0]), "id": np.int64(3), "area": np.float32(0.5)}
    assert json.loads(write_json(tmp_path / "a.json", box).read_bytes()) == {
        "bbox": [1.5, 2.0],
        "id": 3,
        "area": 0.5,
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.array([np.nan])])
def test_nan_is_refused_and_the_old_file_stays(tmp_path, value):
    file = write_json(tmp_path / "gt.json", {"area": 1})
    with pytest.raises(DatasetError, match=r"gt\.json: not written"):
        write_json(file, {"area": value})
    assert json.loads(file.read_bytes()) == {"area": 1}


def test_interruption_leaves_the_old_file_and_no_draft(tmp_path, monkeypatch):
    file = write_json(tmp_path / "gt.json", {"area": 1})

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        write_json(file, {"area": 2})
    assert json.loads(file.read_bytes()) == {"area": 1}
    assert list(tmp_path.iterdir()) == [file]


def test_a_failed_block_leaves_the_old_file_and_makes_folders(tmp_path):
    file = write_text(tmp_path / "new" / "list.txt", "a\nb\n", sync=False)
    with pytest.raises(ZeroDivisionError), replacing(file) as draft:
        draft.write_text(str(1 / 0))
    assert file.read_bytes() == b"a\nb\n" and list(file.parent.iterdir()) == [file]


def test_nan_is_null_where_it_is_asked_for(tmp_path):
    record = without_nan({"AP": float("nan"), "deep": [1.5, {"x": float("inf")}]})
    assert record == {"AP": None, "deep": [1.5, {"x": None}]}
    assert write_json(tmp_path / "a.json", {"AP": None}, indent=1).read_text() == (
        '{\n "AP": null\n}\n'
    )
