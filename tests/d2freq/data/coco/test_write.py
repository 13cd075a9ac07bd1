"""COCO files are written whole or not at all."""

import json
import os

import numpy as np
import pytest

from d2freq.data.coco.write import write_coco, write_json
from d2freq.errors import DatasetError

IMAGE = {"id": 1, "file_name": "ä.png", "width": 9, "height": 8}
BOX = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3.5, 4], "area": 14.0, "iscrowd": 0}


def test_what_is_written_is_read(tmp_path):
    wish = dict(images=[IMAGE], annotations=[BOX], categories=[{"id": 1, "name": "ship"}])
    file = write_coco(tmp_path / "new" / "folder" / "gt.json", **wish)
    assert json.loads(file.read_bytes()) == wish
    again = write_coco(file, **wish, info={"seed": 1})
    assert list(json.loads(again.read_bytes())) == ["info", *wish]
    assert [path.name for path in file.parent.iterdir()] == ["gt.json"]


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
