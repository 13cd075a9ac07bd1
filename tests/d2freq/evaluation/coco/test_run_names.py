"""A run on a folder numbers its pictures from 1; ground truth finds them by their names."""

import json
import logging

import numpy as np
import pytest

from d2freq.evaluation.coco.detections_file import write_detections
from d2freq.evaluation.coco.guard import DetectionError, Detections
from d2freq.evaluation.coco.run_names import numbered_as

TRUTH = {
    "images": [dict(id=n, file_name=f"val/{n}.png", width=64, height=64) for n in (4, 5, 6)],
    "categories": [dict(id=7, name="ship"), dict(id=9, name="car")],
    "annotations": [],
}


@pytest.fixture
def run(tmp_path):
    """(images, categories of the run, detections' ids) -> what ground truth makes of them."""
    truth = tmp_path / "gt.json"
    truth.write_text(json.dumps(TRUTH))

    def number(images, categories, image_ids, category_ids, beside=True):
        count = len(image_ids)
        found = Detections(
            np.array(image_ids), np.array(category_ids), np.ones((count, 4)), np.ones(count)
        )
        path = tmp_path / "detections.json"
        write_detections(path, found)
        if beside:
            content = {
                "images": [dict(id=k, file_name=v, width=64, height=64) for k, v in images.items()],
                "categories": [dict(id=k, name=v) for k, v in categories.items()],
                "annotations": [],
            }
            (tmp_path / "detections_coco.json").write_text(json.dumps(content))
        new = numbered_as(found, path, truth)
        return new.image_id.tolist(), new.category_id.tolist()

    return number


def test_pictures_and_classes_go_by_their_names(run, caplog):
    images, classes = {1: "6.png", 2: "4.png", 3: "5.png"}, {1: "car", 2: "ship"}
    with caplog.at_level(logging.WARNING):
        assert run(images, classes, [1, 2, 2, 3], [1, 2, 1, 2]) == ([6, 4, 4, 5], [9, 7, 9, 7])
    assert "by their names" in caplog.text and "not searched" not in caplog.text


def test_equal_numbers_and_files_of_others_stay(run, caplog):
    names = {4: "val/4.png", 5: "val/5.png", 6: "val/6.png"}
    assert run(names, {7: "ship", 9: "car"}, [4, 6], [7, 9]) == ([4, 6], [7, 9])
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


def test_without_a_file_beside_it_numbers_are_numbers(run):
    assert run({}, {}, [1, 99], [1, 2], beside=False) == ([1, 99], [1, 2])


def test_what_was_not_searched_is_told(run, caplog):
    with caplog.at_level(logging.WARNING):
        run({1: "5.png"}, {7: "ship", 9: "car"}, [1], [7])
    assert "2 of the 3 pictures" in caplog.text and "count as missed" in caplog.text


@pytest.mark.parametrize(
    ("images", "classes", "words"),
    [
        ({1: "8.png"}, {7: "ship"}, r"'8\.png', of which .*gt\.json has 0"),
        ({1: "5.png"}, {7: "boat"}, r"'boat', of which .*gt\.json has 0"),
    ],
)
def test_unknown_names_are_refused(images, classes, words, run):
    with pytest.raises(DetectionError, match=words):
        run(images, classes, [1], [7])
