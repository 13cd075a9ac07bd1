"""What is wrong in results of other tools: which file, line or entry, and what is left out."""

import json

import pytest

from d2freq.commands.evaluate import read_guarded
from d2freq.evaluation.coco.guard import DetectionError
from d2freq.evaluation.coco.measure import read_truth
from d2freq.evaluation.protocols import get_protocol
from d2freq.evaluation.results import read_results
from d2freq.evaluation.results.dota import ORIENTED
from d2freq.evaluation.results.named_json import COUNTED_FROM_0, MASKS, read_named
from d2freq.evaluation.results.text import NO_CLASS, TRACKS
from d2freq.evaluation.results.truth import Truth
from d2freq.inference.convert_results import convert_results
from tests.d2freq.evaluation.results.written import assert_same, write_dota, write_yolo


def test_what_is_left_out_is_said(truth, tmp_path, caplog):
    write_yolo(tmp_path / "a", [(3, 2, 1, 2, 3, 4, 0.5)], track=True)
    read_results(tmp_path / "a", truth)
    assert f"1 {TRACKS}" in caplog.text
    write_dota(tmp_path / "b", [(13, 2, 1, 2, 3, 4, 0.5)], 1)
    read_results(tmp_path / "b", truth)
    assert f"1 {ORIENTED}" in caplog.text
    (tmp_path / "c").mkdir()
    (tmp_path / "c/bare.txt").write_text("1,2,3,4,0.5,2,-1,-1\n1,2,3,4,0.5,11,-1,-1\n")
    assert len(read_results(tmp_path / "c", truth)) == 1 and f"1 {NO_CLASS}" in caplog.text
    entry = dict(file_name="bare.png", category_id=0, bbox=[1, 2, 3, 4], score=0.5)
    entry["segmentation"] = {"size": [9, 9], "counts": "a"}
    (tmp_path / "d.json").write_text(json.dumps([entry]))
    assert read_results(tmp_path / "d.json", truth).category_id.tolist() == [2]
    assert f"1 {COUNTED_FROM_0}" in caplog.text and f"1 {MASKS}" in caplog.text


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a b.txt", "0 .5 .5 .1 .1\n", r"a b.txt, line 1: .* has no confidence.*save_conf=True"),
        ("a b.txt", "0 .5 .5 .1 .1 .9\n0 .5 x .1 .1 .9\n", r"a b.txt, line 2: 'x' is no number"),
        ("a b.txt", "7 .5 .5 .1 .1 .9\n", "line 1: class 7, but .*gt.json has 3 .*--names"),
        ("a b.txt", "0 50 50 10 10 .9\n", "line 1: .* are no shares"),
        ("a b.txt", "1,2,3,4,.5,9,0,0\n", r"line 1: category 9; .*gt.json has 2, 4, 5"),
        ("a b.txt", "0 .5 .5 .1\n", "line 1: 4 numbers, expected class cx cy w h confidence"),
        ("a b.txt", "1,2,3,4,.5\n", "line 1: 5 fields, expected left,top"),
        (
            "a b.txt",
            "0 .5 .5 .1 .1 3 .9\n",
            "line 1: .* ends in .9, .*exchange the last two columns",
        ),
        ("gone.txt", "0 .5 .5 .1 .1 .9\n", r"gone.txt: detections on 'gone', of which .* has none"),
        ("Task1_ship.txt", "0007 .5 1 2 3 4\n", r"Task1_ship.txt, line 1: 6 words, expected image"),
        ("Task2_cow.txt", "0007 .5 1 2 3 4\n", "detections of class 'cow'"),
        ("Task2_ship.txt", "no .5 1 2 3 4\n", "line 1: detections on 'no', of which"),
        ("x.json", "[]", "no results there: looked for detections.json"),
    ],
)
def test_errors_name_file_and_line(truth, tmp_path, name, text, message):
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / name).write_text(text)
    with pytest.raises(DetectionError, match=message):
        read_results(folder, truth)


def test_shares_of_an_image_without_a_size(truth, tmp_path):
    data = json.loads(truth.read_text())
    del data["images"][0]["width"]
    truth.write_text(json.dumps(data))
    (tmp_path / "a b.txt").write_text("0 .5 .5 .1 .1 .9\n")
    with pytest.raises(DetectionError, match=r"line 1: .*gt\.json has no size of a b\.jpg"):
        read_results(tmp_path / "a b.txt", truth)


def test_errors_of_json_name_the_entry(truth, tmp_path):
    path = tmp_path / "predictions.json"
    good = dict(image_id="a b", category_id=2, bbox=[1, 2, 3, 4], score=0.5)
    for changed, message in (
        (dict(image_id="x"), "entry 1: detections on 'x', of which"),
        (dict(category_id=9), "entry 1 has category_id 9; .* has 2 small vehicle"),
        (dict(bbox=[1, 2, 3]), "entry 1 lacks a bbox of four numbers"),
        (dict(image_id=999), "entry 1: detections on '999'"),
        (dict(category_id="lorry"), "entry 1: detections of class 'lorry'"),
        (dict(category_id=None), "entry 1 has category_id None"),
    ):
        path.write_text(json.dumps([good, good | changed]))
        with pytest.raises(DetectionError, match=message):
            read_results(path, truth)


@pytest.mark.parametrize(
    "truth", [{}, {"images": [{"id": 1}]}, {"images": [3]}, {"images": [], "categories": [{}]}]
)
def test_ground_truth_without_names_is_named(truth, tmp_path):
    (tmp_path / "gt.json").write_text(json.dumps(truth))
    (tmp_path / "Task2_ship.txt").write_text("a 0.9 1 1 5 5\n")
    with pytest.raises(DetectionError, match=r"gt\.json: images need id and file_name"):
        read_results(tmp_path, tmp_path / "gt.json")


STRANGE = {
    "visdrone": ("a b.txt", "1,1,5,5,.9,2,-1,-1\n1,1,-5,5,.9,2,-1,-1\n", "negative", "line 2"),
    "height": ("a b.txt", "0 .5 .5 .1 -.1 .9\n", "negative", "line 1"),
    "percent": ("a b.txt", "0 .5 .5 .1 .1 90\n", "scores above 1: 90.0 in ", "line 1"),
    "percent of DOTA": ("Task2_ship.txt", "0007 87 1 2 3 4\n", "scores above 1: 87.0", "line 1"),
    "logit": ("a b.txt", "0 .5 .5 .1 .1 -3\n", "scores below 0: -3.0", "line 1"),
    "corners": ("Task2_ship.txt", "0007 .7 9 2 3 4\n", "min is above their max", "1 boxes"),
    "by ids": ("results.json", (3, [1, 1, 5, -5], 0.5), "negative", "entry 1"),
    "percent by ids": ("results.json", (3, [1, 1, 5, 5], 50), "above 1: 50.0 in", "entry 1"),
    "by names": ("results.json", ("a b.jpg", [1, 1, -5, 5], 0.5), "negative", "entry 1"),
}


@pytest.mark.parametrize("case", STRANGE)
def test_what_no_detector_writes_is_said(case, truth, tmp_path, caplog):
    name, content, *said = STRANGE[case]
    folder = tmp_path / "results"
    folder.mkdir()
    if not isinstance(content, str):
        image, box, score = content
        entry = dict(image_id=image, category_id=2, bbox=box, score=score)
        content = json.dumps([entry | dict(bbox=[1, 1, 5, 5], score=1.0), entry])
    (folder / name).write_text(content)
    read_results(folder, truth)
    (line,) = caplog.messages
    assert all(words in line for words in said), line


def test_negative_sides_are_left_out_by_all(truth, tmp_path, caplog):
    """The guard drops and counts them, or refuses them if strict; convert leaves them out."""
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "a b.txt").write_text("1,1,5,5,.9,2,-1,-1\n1,1,-5,5,.9,2,-1,-1\n")
    seen = read_truth(truth, get_protocol("aitod"))
    assert read_guarded(str(folder), seen).dropped == {"width or height is negative": 1}
    with pytest.raises(DetectionError, match="1 x width or height is negative"):
        read_guarded(str(folder), seen, strict=True)
    lines = convert_results(folder, tmp_path / "out.json", ground_truth=truth)
    assert len(json.loads((tmp_path / "out.json").read_text())) == 1
    assert "1 boxes with a negative width or height left out" in lines[1]


def test_names_that_ground_truth_lacks_or_has_twice(truth, tmp_path):
    data = json.loads(truth.read_text())
    data["images"][0]["file_name"] = "x/a b.jpg"
    data["images"].append(data["images"][0] | dict(id=99, file_name="sub/a b.jpg"))
    truth.write_text(json.dumps(data))
    path = tmp_path / "predictions.json"
    good = dict(file_name="sub/ä.png", category_name="Small_Vehicle", bbox=[1, 2, 3, 4], score=0.5)
    path.write_text(json.dumps([good]))
    assert_same(read_results(path, truth), [(13, 2, 1, 2, 3, 4, 0.5)])
    for changed, message in (
        (dict(file_name="a b.jpg"), "entry 1: detections on 'a b.jpg', of which .* has 2; name"),
        (dict(category_name="tree"), "class 'tree'; .* has small vehicle, .*ship"),
        (dict(file_name=None), "entry 1 has neither file_name nor image_id; a detection is"),
        (dict(file_name="", image_id=13.5), "entry 1 has neither file_name nor image_id"),
    ):
        path.write_text(json.dumps([good, good | changed]))
        with pytest.raises(DetectionError, match=message):
            read_results(path, truth)
    path.write_text(json.dumps([good, 7]))
    with pytest.raises(DetectionError, match="entry 1 is int, no detection"):
        read_results(path, truth)
    # beside an entry that goes by a name, a number is an id where no file has it
    path.write_text(json.dumps([good, good | dict(file_name=None, image_id=33)]))
    assert read_results(path, truth).image_id.tolist() == [13, 33]


def test_named_results_are_a_list(truth, tmp_path):
    path = tmp_path / "one.json"
    path.write_text(json.dumps(dict(file_name="a b.jpg", score=0.5)))
    with pytest.raises(DetectionError, match=r"one\.json: no list of detections; it needs"):
        read_named(path, Truth(truth))


def test_ground_truth_whose_records_lack_keys(truth):
    data = json.loads(truth.read_text())
    del data["images"][1]["file_name"]
    truth.write_text(json.dumps(data))
    with pytest.raises(DetectionError, match="images need id and file_name.*KeyError: 'file_name"):
        Truth(truth)
