"""``d2freq validate``: each fault that is planted is reported by name and count."""

import json

import pytest

from d2freq.cli import main


@pytest.fixture
def validate(two_images, capsys):
    """A function that plants a fault and returns exit code and lines with a severity."""
    folder, data = two_images

    def run(plant, *options: str) -> tuple[int, list[str]]:
        text = plant(data)
        file = folder / "truth.json"
        file.write_text(text if isinstance(text, str) else json.dumps(data))
        code = main(["validate", str(file), "--images", str(folder), *options])
        lines = capsys.readouterr().out.splitlines()
        return code, [line for line in lines if line.startswith(("error: ", "repair: ", "note: "))]

    return run


def put(section: str, number: int = 1, **changes):
    return lambda data: data[section][number].update(changes)


def lose(section: str, *keys: str):
    return lambda data: [data[section][1].pop(key) for key in keys] and None


def box(*xywh):
    return put("annotations", bbox=list(xywh), area=xywh[2] * xywh[3] if len(xywh) == 4 else 1)


def cut(data):
    return json.dumps(data)[:-60]


def many_boxes(data):
    one = data["annotations"][0]
    for number in range(5000):
        data["annotations"].append(one | {"id": 10 + number, "bbox": [2 + number / 200, 2, 6, 5]})


NAN = float("nan")
ERRORS = {
    "cut off": (cut, "unreadable file (1)", "2 images, 4 annotations. Fetch"),
    "broken": (lambda data: json.dumps(data).replace(":", "=", 9), "unreadable file (1)", "broken"),
    "empty file": (lambda data: "", "unreadable file (1)", "byte 0 of 0"),
    "a list": (lambda data: "[]", "missing section (1)", "found list"),
    "no section": (lambda data: data.pop("images") and None, "missing section (1)", "'images'"),
    "record of another type": (
        lambda data: data["annotations"].append(7),
        "record that is no object (1)",
        "annotation no. 4 is int",
    ),
    "no bbox": (lose("annotations", "bbox"), "missing key (1)", "annotation 2 of image 1"),
    "no name": (lose("categories", "name"), "missing key (1)", "category 2 lacks ['name']"),
    "no height": (lose("images", "height"), "missing key (1)", "image 2 lacks ['height']"),
    "id of text": (put("annotations", id="2"), "id that is no integer (1)", "'2'"),
    "id 2.5": (put("annotations", id=2.5), "id that is no integer (1)", "has id 2.5"),
    "huge id": (put("annotations", id=2**70), "id that is no integer (1)", "under 2^63"),
    "name as a list": (put("categories", name=["x"]), "name that is no text (1)", "category 2"),
    "crowd 2": (put("annotations", iscrowd=2), "flag that is neither 0 nor 1 (1)", "iscrowd 2"),
    "width as text": (put("images", width="40"), "image without a size (1)", "'40' x 30"),
    "three numbers": (box(1, 2, 3), "malformed box (1)", "annotation 2 of image 1"),
    "image id twice": (put("images", id=1), "duplicate image id (1)", "id 1 x 2"),
    "annotation id twice": (put("annotations", id=1), "duplicate annotation id (1)", "id 1 x 2"),
    "category id twice": (put("categories", id=1), "duplicate category id (1)", "id 1 x 2"),
    "name twice": (put("categories", name="ship"), "duplicate category name (1)", "'ship' x 2"),
    "no image": (lambda data: data["images"].clear(), "no image (1)", "images is empty"),
    "no category": (lambda data: data["categories"].clear(), "no category (1)", "Name the"),
    "unknown category": (put("annotations", category_id=9), "unknown category_id (1)", "known: 1"),
    "unknown image": (put("annotations", image_id=9), "unknown image_id (1)", "image_id 9"),
    "NaN": (put("annotations", bbox=[1, NAN, 3, 4]), "NaN or infinite box (1)", "nan"),
    "infinite": (put("annotations", bbox=[1, 2, 1e999, 4]), "NaN or infinite box (1)", "inf"),
    "ignore": (put("annotations", ignore=1), "ignore flag (1)", "iscrowd: 1"),
    "flat outline": (
        put("annotations", segmentation=[1, 1, 5, 1, 5, 5]),
        "malformed segmentation (1)",
        "annotation 2 of image 1",
    ),
    "region of 3": (
        put("images", ignore_regions=[[1, 1, 5, 5], [1, 2, 3]]),
        "malformed ignore region (1)",
        "image 2 has ignore_regions [[1, 2, 3]]",
    ),
    "other object of 3": (
        put("images", other_objects=[[1, 2, 3]]),
        "malformed ignore region (1)",
        "image 2 has other_objects [[1, 2, 3]]",
    ),
    "region without extent": (
        put("images", ignore_regions=[[1, 1, 0, 5]]),
        "malformed ignore region (1)",
        "above 0",
    ),
}
REPAIRS = {
    "two points": (
        put("annotations", segmentation=[[1, 2, 3, 4]]),
        "segmentation without a polygon (1)",
        "annotation 2 of image 1",
    ),
    "id 0": (put("annotations", id=0), "annotation id 0 (1)", "Renumbered"),
    "empty": (box(9, 9, 0, 4), "empty box (1)", "[9, 9, 0, 4]"),
    "negative": (box(9, 9, -4, 4), "negative width or height (1)", "[9, 9, -4, 4]"),
    "outside": (box(50, 9, 4, 4), "box outside its image (1)", "[50, 9, 4, 4]"),
    "over the border": (box(38, 9, 4, 4), "box over the border (1)", "[38, 9, 4, 4]"),
    "no area": (lose("annotations", "area"), "no area (1)", "annotation 2 of image 1"),
    "wrong area": (put("annotations", area=99), "area larger than the box (1)", "area 99"),
}
NOTES = {
    "a pixel over": (box(37, 9, 4, 4), "box up to a pixel over the border (1)", "[37, 9, 4, 4]"),
    "no iscrowd": (lose("annotations", "iscrowd"), "no iscrowd (1)", "pycocotools"),
    "name again": (put("images", file_name="a.png"), "duplicate file name (1)", "a.png x 2"),
    "box again": (box(1, 2, 6, 5), "duplicate box (1)", "annotation 2 of image 1"),
    "ids of classes": (
        lambda data: data["categories"].reverse(),
        "category order (2)",
        "go by id, not by place: ship, person",
    ),
    "order of AI-TOD": (
        lambda data: data.update(categories=aitod(first="bridge", second="airplane")),
        "category order other than that of aitod_train (2)",
        "airplane, bridge, storage-tank",
    ),
    "nothing": (lambda data: data["annotations"].clear(), "no annotation (1)", "AP is NaN"),
    "5000 boxes": (many_boxes, "more boxes than detections (1)", "image 1 has 5002 of category 1"),
}
CASES = {
    **{name: ("error", *case) for name, case in ERRORS.items()},
    **{name: ("repair", *case) for name, case in REPAIRS.items()},
    **{name: ("note", *case) for name, case in NOTES.items()},
}
# what a plant brings along, apart from the fault that it is there for
ALSO = {
    "no image": ["unknown image_id (4)", "image that is not in the file (2)"],
    "no category": ["unknown category_id (4)"],
    "image id twice": ["unknown image_id (2)"],
    "category id twice": ["unknown category_id (2)"],
    "name again": ["image that is not in the file (1)"],
    "ignore": ["ignore flag in the measure (1)"],
    "order of AI-TOD": ["class without a box (6)"],
}


def aitod(first: str, second: str) -> list[dict]:
    rest = ["storage-tank", "ship", "swimming-pool", "vehicle", "person", "wind-mill"]
    return [dict(id=i, name=name) for i, name in enumerate([first, second, *rest], start=1)]


@pytest.mark.parametrize("case", CASES)
def test_planted_fault_is_reported(validate, case):
    severity, plant, kind, hint = CASES[case]
    code, lines = validate(plant)
    assert code == (0 if severity == "note" else 2)
    (line,) = [line for line in lines if line.startswith(f"{severity}: {kind}: ")]
    assert hint in line
    others = [other.split(": ")[1] for other in lines if other != line]
    assert others == ALSO.get(case, [])


def test_sound_file_has_no_fault_and_is_counted(two_images, capsys):
    folder, data = two_images
    (folder / "truth.json").write_text(json.dumps(data))
    arguments = ["validate", str(folder / "truth.json"), "--images", str(folder), "--strict"]
    assert main([*arguments, "--depth", "decode"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].endswith("truth.json: 2 images, 4 boxes, 2 categories")
    assert out[1] == "no fault"


def test_notes_are_faults_when_strict(validate):
    assert validate(NOTES["box again"][0], "--strict")[0] == 2


def test_cut_off_file_is_told_from_a_broken_one(validate):
    _, (line,) = validate(cut)
    assert "JSON is cut off at line 1" in line and "byte " in line
    _, (line,) = validate(ERRORS["broken"][0])
    assert "JSON is broken at line 1" in line


def test_many_faults_are_reported_together(validate):
    """All that reliability asks for, in one file: no fault hides another."""

    def plant(data):
        one = data["annotations"][0]
        extra = [
            {"id": 0},
            {"id": 1},
            {"id": "8"},
            {"id": 9, "category_id": 5},
            {"id": 10, "image_id": 5},
            {"id": 11, "bbox": [50, 2, 6, 5]},
            {"id": 12, "bbox": [1, 2, 0, 5]},
            {"id": 13, "bbox": [1, 2, -6, 5]},
            {"id": 14, "bbox": [1, NAN, 6, 5]},
            {"id": 15, "ignore": 1},
            {"id": 16, "bbox": "1 2 6 5"},
        ]
        data["annotations"] += [one | changes for changes in extra]
        data["annotations"].append({"id": 17})
        data["annotations"].append(one | {"id": 18, "area": None})
        data["categories"].reverse()
        many_boxes(data)
        for number, annotation in enumerate(data["annotations"][17:]):
            annotation["id"] = 100 + number

    code, lines = validate(plant)
    assert code == 2
    kinds = {line.split(": ")[1] for line in lines}
    assert kinds == {
        *("missing key (1)", "id that is no integer (1)", "malformed box (1)", "no area (1)"),
        *("duplicate annotation id (1)", "annotation id 0 (1)", "unknown category_id (1)"),
        *("unknown image_id (1)", "box outside its image (1)", "empty box (1)", "ignore flag (1)"),
        *("ignore flag in the measure (1)",),
        *("negative width or height (1)", "NaN or infinite box (1)", "duplicate box (5)"),
        *("category order (2)", "more boxes than detections (1)"),
    }


def test_another_protocol_takes_other_counts(validate, two_images, capsys):
    code, lines = validate(many_boxes, "--protocol", "coco")
    assert code == 0 and "The protocol takes 100 detections" in lines[0]
    assert main(["validate", str(two_images[0] / "truth.json"), "--protocol", "none"]) == 2
    assert "no evaluation protocol 'none'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        ("aitod", "Counted as any other box: protocol aitod goes by iscrowd alone."),
        ("visdrone", "Counted as a crowd region"),
        ("soda-d", "Left out by protocol soda-d."),
    ],
)
def test_ignore_flags_are_noted_with_what_the_protocol_makes_of_them(validate, protocol, said):
    _, lines = validate(put("annotations", ignore=1), "--protocol", protocol)
    (note,) = [line for line in lines if line.startswith("note: ignore flag in the measure (1)")]
    assert said in note and "--fix writes it as iscrowd" in note
    assert validate(put("annotations", ignore=0)) == (0, [])


def test_source_is_not_written_over(two_images, capsys):
    folder, data = two_images
    data["annotations"][0]["id"] = 0
    file, link = folder / "truth.json", folder / "link.json"
    file.write_text(json.dumps(data))
    before = file.read_bytes()
    link.symlink_to(file)
    for output in (file, link):
        assert main(["validate", str(file), "--fix", str(output)]) == 2
        assert "not written over its source" in capsys.readouterr().err
    assert file.read_bytes() == before


def test_cut_off_file_is_not_repaired(two_images, capsys):
    """Whole annotations could be saved, but images without the lost ones would look empty."""
    folder, data = two_images
    file, output = folder / "truth.json", folder / "fixed.json"
    file.write_text(json.dumps(data)[:-60])
    assert main(["validate", str(file), "--fix", str(output)]) == 2
    assert "not written, the file cannot be repaired" in capsys.readouterr().out
    assert not output.exists()
