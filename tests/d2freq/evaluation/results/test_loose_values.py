"""Results whose ids are text or fractions, whose classes are names, and whose masks are odd."""

import json

import numpy as np
import pytest

from d2freq.evaluation.coco.guard import DetectionError
from d2freq.evaluation.results import read_results

ROW = dict(image_id=3, category_id=2, bbox=[1, 2, 3, 4], score=0.5)
MASK = {"size": [4, 5], "counts": [6, 3, 11]}


@pytest.fixture
def truth(tmp_path):
    """Ids that are other numbers than those of the files."""
    images = [dict(id=i, file_name=f"{n}.png", width=5, height=4) for n, i in ((7, 3), (3, 8))]
    categories = [dict(id=2, name="small ship"), dict(id=5, name="ship")]
    path = tmp_path / "gt.json"
    path.write_text(json.dumps(dict(images=images, annotations=[], categories=categories)))
    return path


@pytest.fixture
def read(truth, tmp_path):
    def run(*entries, **options):
        path = tmp_path / "results.json"
        path.write_text(json.dumps(entries))
        return read_results(path, truth, **options)

    return run


@pytest.mark.parametrize(
    "changed",
    [
        dict(category_id="2"),
        dict(category_id=2.0),
        dict(category_id="Small-Ship"),
        dict(image_id=3.0),
        dict(image_id=3.0, category_id="small ship"),
        dict(bbox=["1", "2.0", 3, "4"], score="0.5"),
    ],
)
def test_values_of_one_reading(read, changed):
    found = read(ROW | changed, ROW | dict(score=0.25))
    assert found.image_id.tolist() == [3, 3] and found.category_id.tolist() == [2, 2]
    assert found.xywh.tolist() == [[1, 2, 3, 4]] * 2 and found.score.tolist() == [0.5, 0.25]


def test_a_text_is_a_file_before_it_is_an_id(read):
    assert read(ROW | dict(image_id="8")).image_id.tolist() == [8]  # no file is called so
    assert read(ROW | dict(image_id="3")).image_id.tolist() == [8]  # 3.png
    assert read(ROW | dict(image_id="7.png")).image_id.tolist() == [3]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (dict(category_id=2.5), "entry 0 has category_id 2.5"),
        (dict(category_id=True), "entry 0 has category_id True"),
        (dict(category_id="boat"), "entry 0: detections of class 'boat'; .* has small ship, ship"),
        (dict(bbox=["1", "2", "3", "x"]), "entry 0 has bbox"),
        (dict(score=None), "entry 0 has score None"),
        (dict(segmentation={"size": [4, 5], "counts": "ab~~~~~c"}), "text has the letter '~'"),
        (dict(segmentation={"size": [4, 5], "counts": "b'08'"}), "text has the letter"),
        (dict(segmentation={"size": [4, 5], "counts": [0, 99]}), "sum to 99, not to 4 x 5"),
        (dict(segmentation="x"), "no run lengths with 'size' and 'counts'"),
    ],
)
def test_others_are_named(read, changed, message):
    with pytest.raises(DetectionError, match=message):
        read(ROW | changed, masks=True)


def test_run_lengths_as_numbers(read):
    found = read(ROW | dict(segmentation=MASK), masks=True)
    assert found.masks is not None
    from d2freq.evaluation.coco.masks import decode

    wish = np.zeros(20, bool)
    wish[6:9] = True
    assert (decode(found.masks)[0] == wish.reshape(5, 4).T).all()


@pytest.mark.parametrize("nothing", [[], None, {}, ""])
def test_an_empty_segmentation_is_none(read, nothing, caplog):
    found = read(ROW | dict(segmentation=nothing), masks=True)
    assert found.masks is None and len(found) == 1 and not caplog.text


def test_polygons_are_left_out_and_said(read, caplog):
    found = read(ROW | dict(segmentation=[[1, 2, 4, 2, 4, 6]]), masks=True)
    assert found.masks is None and "1 polygons left out" in caplog.text


def test_an_object_around_the_list(truth, tmp_path):
    (tmp_path / "o.json").write_text(json.dumps(dict(annotations=[ROW])))
    with pytest.raises(DetectionError, match="an object, no list: write the list of detections"):
        read_results(tmp_path / "o.json", truth)
