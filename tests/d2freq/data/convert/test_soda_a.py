"""SODA-A to COCO: twenty random files, ignored regions, and faults."""

import json

import numpy as np
import pytest
from PIL import Image

from d2freq.data.builtin import SODA_A
from d2freq.data.convert.soda_a import EMPTY, NO_FILE, convert_soda_a
from d2freq.errors import UserError
from d2freq.utils.jobs import FailedItems


@pytest.fixture
def convert(tmp_path):
    (tmp_path / "Images").mkdir()
    (tmp_path / "Annotations/train").mkdir(parents=True)

    def run(files):
        for name, entries in files.items():
            Image.new("L", (200, 100)).save(tmp_path / f"Images/{name}.jpg")
            label = tmp_path / f"Annotations/train/{name}.json"
            label.write_text(json.dumps({"annotations": entries, "images": {}}))
        file = convert_soda_a(
            *(tmp_path / "Annotations/train", tmp_path / "gt.json"),
            images=tmp_path / "Images",
            workers=1,
            progress=False,
        )
        return json.loads(file.read_text())

    return run


def test_twenty_random_files(convert, tmp_path):
    random = np.random.default_rng(0)
    files = {}
    for number in range(20):
        polys = random.uniform(0, 100, (int(random.integers(1, 8)), 8)).tolist()
        kinds = random.integers(0, 10, len(polys)).tolist()
        files[f"{number:05d}"] = [
            dict(poly=p, category_id=k) for p, k in zip(polys, kinds, strict=True)
        ]
    Image.new("L", (9, 9)).save(tmp_path / "Images/test.jpg")
    data = convert(files)
    assert [c["name"] for c in data["categories"]] == list(SODA_A)
    assert data["info"]["notes"] == {NO_FILE: 1}
    for image, entries in zip(data["images"], files.values(), strict=True):
        found = [a for a in data["annotations"] if a["image_id"] == image["id"]]
        wish = [e for e in entries if e["category_id"] < 9]
        assert [a["segmentation"] for a in found] == [[e["poly"]] for e in wish]
        assert [a["category_id"] for a in found] == [e["category_id"] + 1 for e in wish]
        hidden = [np.reshape(e["poly"], (4, 2)) for e in entries if e["category_id"] == 9]
        regions = [[*p.min(0), *np.ptp(p, 0)] for p in hidden]
        found = np.ravel(image.get("ignore_regions", []))
        assert found == pytest.approx(np.ravel(regions))


def test_faults(convert):
    for entry, message in (
        (dict(category_id=1), "a.json, annotation 0: no poly"),
        (dict(poly=[1, 2, 3], category_id=1), "3 numbers are no corners"),
        (dict(poly=[1, 2, 3, 4, 5, 6], category_id=11), "category_id 11, expected 0 to 9"),
    ):
        with pytest.raises(FailedItems, match=message):
            convert({"a": [entry]})


def test_what_is_no_file_of_soda_a(convert, tmp_path):
    with pytest.raises(UserError, match="train: no JSON file there"):
        convert({})
    with pytest.raises(FailedItems, match=r"a\.json: no file of SODA-A's, an object with"):
        convert({"a": {"poly": []}})


def test_ignored_regions_without_an_area_are_counted(convert):
    flat, whole = [5, 5, 9, 5, 7, 5], [5, 5, 9, 5, 9, 8]
    data = convert({"a": [dict(poly=p, category_id=9) for p in (flat, whole)]})
    assert data["images"][0]["ignore_regions"] == [[5, 5, 4, 3]]
    assert data["info"]["notes"] == {EMPTY: 1}
