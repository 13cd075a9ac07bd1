"""Results as other tools write them: twenty random cases of each form, and their faults."""

import gzip
import json

import numpy as np
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

NAMES = ("small vehicle", "ship", "Öltank")
FILES = ("a b.jpg", "sub/ä.png", "0007.jpg", "bare.png")
CASES = range(20)


@pytest.fixture
def truth(tmp_path):
    """Ground truth whose ids are neither from 1 on nor in the order of names."""
    images = [
        dict(id=10 * n + 3, file_name=name, width=100 + 20 * n, height=80)
        for n, name in enumerate(FILES)
    ]
    box = dict(id=1, image_id=3, category_id=2, bbox=[1, 2, 3, 4], area=12, iscrowd=0)
    categories = [dict(id=k, name=name) for k, name in zip((2, 5, 4), NAMES, strict=True)]
    path = tmp_path / "gt.json"
    path.write_text(json.dumps(dict(images=images, annotations=[box], categories=categories)))
    return path


def rows_of(seed):
    """(image id, category id, x, y, w, h, score) of random detections on three images."""
    random = np.random.default_rng(seed)
    return [
        (int(random.choice([3, 13, 23])), int(random.choice([2, 4, 5])))
        + tuple(random.uniform(1, 40, 4).tolist())
        + (float(random.uniform(0.01, 0.99)),)
        for _ in range(int(random.integers(1, 15)))
    ]


def assert_same(found, rows, tolerance=1e-6):
    table = np.column_stack([found.image_id, found.category_id, found.xywh, found.score])
    order = np.lexsort(table.T[::-1])
    wish = np.array(rows)
    assert table.shape == wish.shape
    assert np.allclose(table[order], wish[np.lexsort(wish.T[::-1])], atol=tolerance, rtol=0)


BY_ID = {10 * n + 3: (name, 100 + 20 * n) for n, name in enumerate(FILES)}
CLASSES = {2: 0, 4: 1, 5: 2}  # YOLO's numbers: in the order of ids


def stem(name):
    return name.rsplit(".", 1)[0]


def write_yolo(folder, rows, track=False):
    for n, (image, kind, x, y, w, h, score) in enumerate(rows):
        name, width = BY_ID[image]
        path = folder / f"{stem(name)}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        shares = ((x + w / 2) / width, (y + h / 2) / 80, w / width, h / 80)
        words = [CLASSES[kind], *shares, score, *([n] if track else [])]
        with open(path, "a", encoding="utf-8") as file:
            file.write(" ".join(map(str, words)) + "\n")


def write_visdrone(folder, rows):
    for image, kind, *box, score in rows:
        path = folder / f"{stem(BY_ID[image][0])}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            file.write(",".join(map(str, [*box, score, kind, -1, -1])) + "\n")


def write_dota(folder, rows, task):
    folder.mkdir(parents=True, exist_ok=True)
    names = dict(zip((2, 5, 4), NAMES, strict=True))
    for image, kind, x, y, w, h, score in rows:
        sides = (x, y, x + w, y, x + w, y + h, x, y + h) if task == 1 else (x, y, x + w, y + h)
        path = folder / f"Task{task}_{names[kind].replace(' ', '-')}.txt"
        # DOTA's lines are split at blanks, so that no name has one
        name = stem(BY_ID[image][0]).split("/")[-1].replace(" ", "")
        with open(path, "a", encoding="utf-8") as file:
            file.write(" ".join(map(str, [name, score, *sides])) + "\n")


@pytest.mark.parametrize("seed", CASES)
def test_random_cases_of_text_files(seed, truth, tmp_path):
    rows = rows_of(seed)
    write_yolo(tmp_path / "run/labels", rows, track=seed % 2)
    assert_same(read_results(tmp_path / "run", truth), rows)
    write_visdrone(tmp_path / "visdrone", rows)
    assert_same(read_results(tmp_path / "visdrone", truth), rows)
    no_blank = [row for row in rows if row[0] != 3]
    if no_blank:
        write_dota(tmp_path / "dota", no_blank, 1 + seed % 2)
        assert_same(read_results(tmp_path / "dota", truth), no_blank)


@pytest.mark.parametrize("seed", CASES)
def test_random_cases_of_json(seed, truth, tmp_path):
    rows = rows_of(seed)
    by_id, by_name, yolo = [], [], []
    for image, kind, *box, score in rows:
        rest = dict(bbox=box, score=score)
        name = stem(BY_ID[image][0])
        number = int(name) if name.isnumeric() else name  # as ultralytics writes it
        by_id.append(dict(image_id=image, category_id=kind, **rest))
        by_name.append(dict(image_id=number, category_id=kind, **rest))
        file_name = BY_ID[image][0].split("/")[-1]
        yolo.append(dict(image_id=number, file_name=file_name, category_id=CLASSES[kind], **rest))
    path = tmp_path / "predictions.json"
    for content in (by_id, by_name, yolo):
        if content is yolo and not any(entry["category_id"] == 0 for entry in yolo):
            continue  # ids from 1 on, as far as anyone can tell
        path.write_text(json.dumps(content))
        assert_same(read_results(path, truth), rows)
        assert_same(read_results(tmp_path, truth), rows)


def test_numbers_of_files_are_no_ids(truth, tmp_path, caplog):
    entry = dict(image_id=7, category_id=2, bbox=[1, 2, 3, 4], score=0.5)
    (tmp_path / "x.json").write_text(json.dumps([entry]))
    assert read_results(tmp_path / "x.json", truth).image_id.tolist() == [23]
    assert "image ids are the numbers of the files" in caplog.text
    (tmp_path / "x.json").write_text(json.dumps([dict(entry, image_id=8)]))
    assert read_results(tmp_path / "x.json", truth).image_id.tolist() == [8]  # the guard names it


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


def test_class_names_beside_the_files(truth, tmp_path):
    write_yolo(tmp_path / "yolo/labels", [(3, 2, 1, 2, 3, 4, 0.5)])
    (tmp_path / "yolo/data.yaml").write_text("names: {0: Ship, 1: small-vehicle, 2: öltank}\n")
    assert read_results(tmp_path / "yolo", truth).category_id.tolist() == [5]
    found = read_results(tmp_path / "yolo", truth, names="small_vehicle,ship,Öltank")
    assert found.category_id.tolist() == [2]
    with pytest.raises(DetectionError, match="detections of class 'boat'; .* has small vehicle, "):
        read_results(tmp_path / "yolo", truth, names="boat,ship")
    one = tmp_path / "yolo/labels/a b.txt"
    assert len(read_results(one, truth)) == 1


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


def test_folders_of_runs(truth, tmp_path):
    rows = [(3, 2, 1, 2, 3, 4, 0.5)]
    entry = dict(image_id=3, category_id=2, bbox=[1, 2, 3, 4], score=0.5)
    run = tmp_path / "run"
    write_yolo(run / "yolo/labels", [*rows, *rows])
    for name in ("x_results.json", "detections.json"):
        (run / name).write_text(json.dumps([entry]))
        (run / "run.json").write_text("{}")
        assert_same(read_results(run, truth), rows)
    (run / "detections.json").unlink()
    (run / "y_results.json").write_text("[]")
    with pytest.raises(DetectionError, match="several files of results, x_results.json, y_res"):
        read_results(run, truth)
    with pytest.raises(DetectionError, match="no such file"):
        read_results(tmp_path / "gone.json", truth)
    write_dota(tmp_path / "both", [(13, 2, 1, 2, 3, 4, 0.5)], 1)
    write_dota(tmp_path / "both", [(13, 2, 1, 2, 3, 4, 0.5)], 2)
    with pytest.raises(DetectionError, match="both Task1_ and Task2_"):
        read_results(tmp_path / "both", truth)


def test_evaluate_reads_through_it(truth, tmp_path):
    write_yolo(tmp_path / "run", [(3, 2, 1, 2, 3, 4, 0.5)])
    found = read_guarded(str(tmp_path / "run"), read_truth(truth, get_protocol("aitod")))
    assert found.xywh.tolist() == [pytest.approx([1, 2, 3, 4])]


ENCODED = {
    "plain": str.encode,
    "mark": lambda text: text.encode("utf-8-sig"),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16-le": lambda text: text.encode("utf-16-le"),
    "gzip": lambda text: gzip.compress(text.encode()),
}


@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize("before", [{}, {"segmentation": {"size": [80, 100], "counts": "0"}}])
def test_file_names_go_before_ids_in_every_encoding(encoding, before, truth, tmp_path):
    box = dict(image_id=3, category_id=2, bbox=[1, 2, 3, 4], score=0.5, file_name="0007.jpg")
    path = tmp_path / "predictions.json"
    path.write_bytes(ENCODED[encoding](json.dumps([{**before, **box}], indent=1)))
    assert read_results(path, truth).image_id.tolist() == [23]


def test_an_ending_that_is_none(tmp_path):
    images = [dict(id=4, file_name="img.v2.png", width=9, height=9)]
    data = dict(images=images, annotations=[], categories=[dict(id=1, name="ship")])
    (tmp_path / "gt.json").write_text(json.dumps(data))
    (tmp_path / "Task2_ship.txt").write_bytes(b"img.v2 0.9 1 1 5 5\r\n\r\n")
    assert read_results(tmp_path, tmp_path / "gt.json").image_id.tolist() == [4]


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
