"""``d2freq validate --fix``: a repaired file passes, and no record goes without a line."""

import json

import pytest

from d2freq.cli import main

NAN = float("nan")


@pytest.fixture
def fix(two_images, capsys):
    """A function that plants a fault and repairs it: exit code, lines and the written content."""
    folder, data = two_images

    def run(plant, *options: str):
        plant(data)
        file, output = folder / "truth.json", folder / "fixed.json"
        file.write_text(json.dumps(data))
        arguments = ["--images", str(folder), "--depth", "decode", *options]
        code = main(["validate", str(file), *arguments, "--fix", str(output)])
        lines = capsys.readouterr().out.splitlines()
        if not output.exists():
            return code, lines, None
        assert main(["validate", str(output), *arguments]) == 0
        assert "no fault" in capsys.readouterr().out.splitlines()
        return code, lines, json.loads(output.read_text())

    run.folder = folder
    return run


def put(section: str, number: int = 1, **changes):
    return lambda data: data[section][number].update(changes)


def lose(section: str, *keys: str):
    return lambda data: [data[section][1].pop(key) for key in keys] and None


def again(section: str):
    return lambda data: data[section].append(dict(data[section][1]))


def text_ids(data):
    """Ids as a table editor writes them, one of the images unknown until they are read."""
    for image in data["images"]:
        image["id"] = f"{image['id']:04d}"
    for annotation in data["annotations"]:
        annotation["image_id"] = float(annotation["image_id"])
        annotation["category_id"] = str(annotation["category_id"])


def renumbered(data) -> bool:
    return [a["id"] for a in data["annotations"]] == [1, 5, 3, 4]


# name: plant, a part of the line, what the written file holds
CHANGES = {
    "annotation id 0": (
        put("annotations", id=0),
        "changed 1 annotation, annotation id 0: annotation 0 of image 1 is now 5",
        renumbered,
    ),
    "annotation id twice": (
        put("annotations", id=1),
        "changed 1 annotation, duplicate annotation id: annotation 1 of image 1 is now 5",
        renumbered,
    ),
    "no annotation id": (
        lose("annotations", "id"),
        "missing key: annotation no. 1 is now 5",
        renumbered,
    ),
    "annotation id of letters": (
        put("annotations", id="x"),
        "id that is no integer: annotation no. 1 id 'x' is now 5",
        renumbered,
    ),
    "ids as text": (
        text_ids,
        "changed 2 images, id that is no integer: image no. 0 id '0001' is now 1",
        lambda data: [a["image_id"] for a in data["annotations"]] == [1, 1, 2, 2],
    ),
    "id that becomes a duplicate": (
        put("annotations", id="1"),
        "duplicate annotation id: annotation 1 of image 1 is now 5",
        renumbered,
    ),
    "flag as text": (
        put("annotations", iscrowd="1"),
        "iscrowd '1' is now 1",
        lambda data: data["annotations"][1]["iscrowd"] == 1,
    ),
    "box as text": (
        put("annotations", bbox=["9", "9.5", "4", "4"]),
        "has bbox [9, 9.5, 4, 4], was ['9', '9.5', '4', '4']",
        lambda data: data["annotations"][1]["bbox"] == [9, 9.5, 4, 4],
    ),
    "ignore": (
        put("annotations", ignore=1),
        "ignore flag: annotation 2 of image 1 has iscrowd 1 in place of ignore 1",
        lambda data: (
            (data["annotations"][1]["iscrowd"], data["annotations"][1]["ignore"]) == (1, 0)
        ),
    ),
    "no area": (
        lose("annotations", "area"),
        "no area: annotation 2 of image 1 has area 16",
        lambda data: data["annotations"][1]["area"] == 16,
    ),
    "wrong area": (
        put("annotations", area=99),
        "area larger than the box: annotation 2 of image 1 has area 16, was 99",
        lambda data: data["annotations"][1]["area"] == 16,
    ),
    "over the border": (
        put("annotations", bbox=[38, -3, 4.2, 9], area=37),
        "has bbox [38, 0, 2, 6], was [38, -3, 4.2, 9]",
        lambda data: data["annotations"][1]["area"] == 12,
    ),
    "no iscrowd": (
        lose("annotations", "iscrowd"),
        "no iscrowd: annotation 2 of image 1 has iscrowd 0",
        lambda data: data["annotations"][1]["iscrowd"] == 0,
    ),
    "size as text": (
        put("images", width="40"),
        "image without a size: image 2 is 40 x 30",
        lambda data: data["images"][1]["width"] == 40,
    ),
    "no size": (
        lose("images", "width", "height"),
        "missing key: image 2 is 40 x 30",
        lambda data: (data["images"][1]["width"], data["images"][1]["height"]) == (40, 30),
    ),
    "size 0": (
        put("images", height=0),
        "image without a size: image 2 is 40 x 30",
        lambda data: data["images"][1]["height"] == 30,
    ),
    "other size": (
        put("images", width=80),
        "image of another size: image 2 is 40 x 30, was 80 x 30",
        lambda data: data["images"][1]["width"] == 40,
    ),
    "two points": (
        put("annotations", segmentation=[[1, 2]]),
        "annotation 2 of image 1 has segmentation [], was [[1, 2]]",
        lambda data: data["annotations"][1]["segmentation"] == [],
    ),
    "regions": (
        put("images", ignore_regions=[[1, 1, 5, 5], [1, 2, 3]]),
        "image 2 loses 1 of 2 ignore regions: [[1, 2, 3]]",
        lambda data: data["images"][1]["ignore_regions"] == [[1, 1, 5, 5]],
    ),
    "other objects": (
        put("images", ignore_regions=[[1, 1, 5, 5]], other_objects=[[1, 1, 5, 5], [1, 2, 3]]),
        "image 2 loses 1 of 2 other objects: [[1, 2, 3]]",
        lambda data: data["images"][1]["other_objects"] == [[1, 1, 5, 5]],
    ),
    "unknown keys": (
        lambda data: (data.update(licenses=[7]), data["annotations"][1].update(id=0, mine="x")),
        "annotation id 0",
        lambda data: data["licenses"] == [7] and data["annotations"][1]["mine"] == "x",
    ),
}
DROPS = {
    "empty": (put("annotations", bbox=[9, 9, 0, 4]), "empty box: annotation 2 of image 1 has bbox"),
    "negative": (put("annotations", bbox=[9, 9, -4, 4]), "negative width or height: annotation 2"),
    "NaN": (put("annotations", bbox=[9, 9, NAN, 4]), "NaN or infinite box: annotation 2"),
    "outside": (put("annotations", bbox=[90, 9, 4, 4]), "box outside its image: annotation 2"),
    "no box": (
        lose("annotations", "bbox"),
        "missing key: annotation 2 of image 1 has bbox",
    ),
    "malformed": (put("annotations", bbox=[1, 2, 3]), "malformed box: annotation 2 of image 1 has"),
    "unknown image": (put("annotations", image_id=9), "unknown image_id: annotation 2 of image 9"),
    "no object": (
        lambda data: data["annotations"].__setitem__(1, 7),
        "record that is no object: annotation no. 1 is 7",
    ),
}
REFUSED = {
    "image id twice": (put("images", id=1), "duplicate image id (1)"),
    "category id twice": (put("categories", id=1), "duplicate category id (1)"),
    "name twice": (put("categories", name="ship"), "duplicate category name (1)"),
    "unknown category": (put("annotations", category_id=9), "unknown category_id (1)"),
    "no category": (lose("annotations", "category_id"), "missing key (1)"),
    "name as a list": (put("categories", name=["x"]), "name that is no text (1)"),
    "missing image": (put("images", file_name="c.png"), "missing image (1)"),
    "box on another size": (
        lambda data: (
            data["images"][1].update(width=80),
            data["annotations"][2].update(bbox=[60, 1, 6, 5]),
        ),
        "image of another size (1)",
    ),
    "box over either size": (
        lambda data: (
            data["images"][1].update(width=80),
            data["annotations"][2].update(bbox=[60, 1, 30, 5]),
        ),
        "image of another size (1)",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_record_is_changed_and_named(fix, case):
    plant, line, wish = CHANGES[case]
    code, lines, data = fix(plant)
    assert code == 0 and wish(data) and len(data["annotations"]) == 4
    assert any(text.startswith("fix: changed ") and line in text for text in lines)
    assert not any(text.startswith("fix: dropped ") for text in lines)
    assert any(text.endswith("2 of 2 images, 4 of 4 annotations left") for text in lines)


@pytest.mark.parametrize("case", DROPS)
def test_annotation_is_dropped_and_named(fix, case):
    plant, line = DROPS[case]
    code, lines, data = fix(plant)
    assert code == 0 and [a["id"] for a in data["annotations"]] == [1, 3, 4]
    (text,) = [text for text in lines if text.startswith("fix: ")]
    assert text.startswith("fix: dropped 1 annotation, " + line)
    assert any(text.endswith("2 of 2 images, 3 of 4 annotations left") for text in lines)


def test_box_is_cut_at_the_border_of_the_corrected_size(fix):
    """The header says 40 x 30: a cut at the declared 41 would leave the box a pixel over."""

    def plant(data):
        data["images"][1]["width"] = 41
        data["annotations"][2].update(bbox=[33, 1, 10, 5], area=50)

    code, lines, data = fix(plant)
    assert code == 0 and data["images"][1]["width"] == 40
    assert data["annotations"][2]["bbox"] == [33, 1, 7, 5] and data["annotations"][2]["area"] == 35
    fixes = [line for line in lines if line.startswith("fix: ")]
    assert ["image of another size" in fixes[0], "box over the border" in fixes[1]] == [True, True]


def test_unlabelled_file_is_repaired(fix):
    """A test split without ground truth is sound."""

    def plant(data):
        data["annotations"].clear()
        data["images"][1]["width"] = 80

    code, _, data = fix(plant)
    assert code == 0 and data["annotations"] == [] and data["images"][1]["width"] == 40


@pytest.mark.parametrize("section", ["images", "categories"])
def test_copy_of_a_record_is_dropped(fix, section):
    code, lines, data = fix(again(section))
    assert code == 0 and len(data[section]) == 2
    assert any("says what the first one says" in line for line in lines)


@pytest.mark.parametrize("case", REFUSED)
def test_nothing_is_written_where_a_guess_is_needed(fix, capsys, case):
    plant, kind = REFUSED[case]
    code, lines, data = fix(plant)
    assert code == 2 and data is None
    assert any(line.startswith(f"cannot be repaired: {kind}") for line in lines)


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        ("missing image", lambda path: path.unlink()),
        ("empty image file", lambda path: path.write_bytes(b"")),
        ("unreadable image", lambda path: path.write_text("not found")),
        ("truncated image", lambda path: path.write_bytes(path.read_bytes()[:-200])),
    ],
)
def test_lost_image_goes_where_asked(fix, kind, damage):
    damage(fix.folder / "b.png")
    code, lines, data = fix(lambda data: None)
    assert (code, data) == (2, None)
    assert any(line.startswith(f"cannot be repaired: {kind} (1)") for line in lines)
    code, lines, data = fix(lambda data: None, "--drop-missing")
    assert code == 0 and [image["file_name"] for image in data["images"]] == ["a.png"]
    fixes = [line for line in lines if line.startswith("fix: ")]
    assert fixes[0] == f"fix: dropped 1 image, {kind}: image 2 has file_name b.png"
    assert fixes[1].startswith("fix: dropped 2 annotations, unknown image_id: ")
