"""Detection files: read in pieces as json would read them whole, and what is said of bad ones."""

import json

import numpy as np
import pytest

import d2freq.evaluation.coco.detections_file as module
from d2freq.evaluation import DetectionError
from d2freq.evaluation.coco.detections_file import read_detections, write_detections
from d2freq.evaluation.coco.guard import Detections

ROW = {"image_id": 7, "category_id": 3, "bbox": [1.5, 2, 3e1, 4.25], "score": 0.1}


def random_detections(count: int, seed: int = 0) -> Detections:
    rng = np.random.default_rng(seed)
    return Detections(
        rng.integers(0, 2**62, count),
        rng.integers(1, 9, count),
        rng.normal(0, 300, (count, 4)),
        rng.random(count).astype(np.float32).astype(float),
    )


def assert_same(one: Detections, other: Detections) -> None:
    for name in ("image_id", "category_id", "xywh", "score"):
        a, b = getattr(one, name), getattr(other, name)
        assert a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype == float), name


@pytest.mark.parametrize("count", [0, 1, 1234])
def test_what_is_written_is_read_bit_by_bit(tmp_path, monkeypatch, count):
    monkeypatch.setattr(module, "ROWS", 100)
    found = random_detections(count)
    write_detections(tmp_path / "d.json", found)
    assert_same(read_detections(tmp_path / "d.json"), found)
    assert len(json.loads((tmp_path / "d.json").read_text())) == count
    assert [path.name for path in tmp_path.iterdir()] == ["d.json"]  # nothing half-written


def test_nan_is_refused_in_place_of_a_file_that_is_no_json(tmp_path):
    bad = random_detections(3)
    bad.score[1] = np.nan
    with pytest.raises(ValueError, match="JSON"):
        write_detections(tmp_path / "d.json", bad)
    assert not (tmp_path / "d.json").exists()


def awkward_text() -> str:
    """Objects in objects, text that looks like the end of one, NaN, and spaces everywhere."""
    rows = []
    for number, found in enumerate([0.5, float("nan"), float("inf"), 1, -3e-7] * 9):
        extra = {"segmentation": {"counts": 'x}, {"', "size": [{"a": 1}, {"b": {}}]}}
        rows.append({**ROW, "image_id": number, "score": found, **(extra if number % 2 else {})})
    texts = [json.dumps(row, indent=n % 3 or None) for n, row in enumerate(rows)]
    return " \n[ " + " ,\r\n\t".join(texts) + "\n]\n "


@pytest.mark.parametrize("piece", [150, 331, 700, 2000, 10**6])
def test_pieces_of_any_length_give_what_json_gives(tmp_path, monkeypatch, piece):
    monkeypatch.setattr(module, "PIECE", piece)
    text = awkward_text()
    (tmp_path / "d.json").write_text(text)
    rows = json.loads(text)
    whole = Detections(*(np.array([row[key] for row in rows]) for key in module.KEYS))
    assert_same(read_detections(tmp_path / "d.json"), whole)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"empty; it needs \[\{"),
        ('{"annotations": []}', r"no list: write .*; it needs"),
        (json.dumps([ROW, ROW])[:-20], "cut off in entry 1"),
        (json.dumps([ROW, ROW])[:-1], "cut off in entry 1: no ',' or ']'"),
        (json.dumps([ROW] * 50).replace("},", "}", 41).replace("}", "},", 40), "in entry 40"),
        (json.dumps([ROW]) + "]", "broken in entry 0"),
        (json.dumps([ROW, 5]), "entry 1 is int, no detection"),
        (json.dumps([ROW, {"image_id": 1, "score": 1}]), "entry 1 lacks category_id, bbox"),
        (json.dumps([ROW, {**ROW, "image_id": "7"}]), "image_id '7', which is no whole number"),
        (json.dumps([{**ROW, "category_id": True}]), "entry 0 has category_id True"),
        (json.dumps([{**ROW, "category_id": 2.5}]), "entry 0 has category_id 2.5"),
        (json.dumps([{**ROW, "image_id": 2**64}]), "no whole number of 64 bits"),
        (json.dumps([{**ROW, "bbox": [1, 2, 3]}]), r"bbox \[1, 2, 3\], which is not four"),
        (json.dumps([{**ROW, "bbox": [1, 2, 3, None]}]), "not four numbers"),
        (json.dumps([{**ROW, "bbox": [1, 2, 3, 10**400]}]), "not four numbers"),
        (json.dumps([{**ROW, "bbox": "1234"}]), "not four numbers"),
        (json.dumps([{**ROW, "score": None}]), "score None, which is no number"),
    ],
)
@pytest.mark.parametrize("piece", [300, 10**6])
def test_a_bad_file_is_refused_with_entry_and_key(tmp_path, monkeypatch, text, message, piece):
    monkeypatch.setattr(module, "PIECE", piece)
    (tmp_path / "d.json").write_text(text)
    with pytest.raises(DetectionError, match=message) as error:
        read_detections(tmp_path / "d.json")
    assert "d.json" in str(error.value)


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(DetectionError, match="no such file"):
        read_detections(tmp_path / "d.json")
    with pytest.raises(DetectionError, match="directory; name the file"):
        read_detections(tmp_path)
    (tmp_path / "d.json").write_text("[" * 100_000)
    with pytest.raises(DetectionError, match="lists in lists"):
        read_detections(tmp_path / "d.json")
    (tmp_path / "d.json").write_bytes(b"[\xff\xfe")
    with pytest.raises(DetectionError, match="no text in UTF-8.*save it as UTF-8"):
        read_detections(tmp_path / "d.json")


def test_a_byte_order_mark_is_read_over(tmp_path):
    (tmp_path / "d.json").write_text(json.dumps([ROW]), encoding="utf-8-sig")
    assert len(read_detections(tmp_path / "d.json")) == 1


def test_masks_are_read_on_request_and_checked(tmp_path):
    path = tmp_path / "d.json"
    masked = {**ROW, "segmentation": {"size": [4, 5], "counts": "d0"}}  # 20 pixels, none is set
    path.write_text(json.dumps([masked, masked]))
    (shape, _) = read_detections(path, masks=True).masks
    assert shape == {"size": [4, 5], "counts": b"d0"}
    path.write_text(json.dumps([masked, ROW]))
    assert read_detections(path, masks=True).masks is None
    for bad in ("d0", {"size": [4, 5]}, {"size": [4], "counts": "d0"}, {"size": 4, "counts": "d"}):
        path.write_text(json.dumps([masked, {**ROW, "segmentation": bad}]))
        assert len(read_detections(path)) == 2
        with pytest.raises(DetectionError, match="entry 1 has a segmentation that is no run"):
            read_detections(path, masks=True)
