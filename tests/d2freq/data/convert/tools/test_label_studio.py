"""Label Studio to COCO: twenty random cases as JSON and JSON_MIN, brushed masks, and faults."""

import json
from urllib.parse import quote

import numpy as np
import pytest
from pycocotools import mask as run_lengths

from d2freq.data.convert.tools import shapes
from d2freq.data.convert.tools.brush import brush_mask
from d2freq.data.convert.tools.label_studio import (
    OTHERS,
    PREDICTIONS,
    SEVERAL,
    SKIPPED,
    convert_label_studio,
)
from d2freq.errors import UserError
from d2freq.utils.jobs import FailedItems

from .cases import CASES, assert_holds, draw, put_images

OPTIONS = {"workers": 1, "progress": False}


def value_of(thing, size):
    across, down = 100 / size[0], 100 / size[1]
    if thing.kind == "polygon":
        return "polygon", {"points": [[x * across, y * down] for x, y in thing.numbers]}
    if thing.kind == "ellipse":
        cx, cy, rx, ry, turn = thing.numbers
        radii = {"radiusX": rx * across, "radiusY": ry * down}
        return "ellipse", {"x": cx * across, "y": cy * down, **radii, "rotation": turn}
    x, y, w, h, *turn = thing.numbers
    if turn:  # Label Studio turns about the left upper corner, so that one has to lie where it does
        x, y = thing.wish()["segmentation"][0][:2]
    sides = {"x": x * across, "y": y * down, "width": w * across, "height": h * down}
    return "rectangle", {**sides, "rotation": turn[0] if turn else 0}


def results_of(thing, size, number):
    kind, value = value_of(thing, size)
    about = dict(original_width=size[0], original_height=size[1], image_rotation=0, id=f"r{number}")
    labels = {f"{kind}labels": [thing.label]}
    shape = dict(about, type=f"{kind}labels", from_name="tag", value={**value, **labels})
    said = [
        dict(about, type="textarea", from_name=key, value={**value, "text": [text]})
        for key, text in thing.attributes.items()
    ]
    if number % 2:  # a control for shapes and one for labels
        plain = dict(shape, type=kind, value=value)
        return [plain, dict(shape, type="labels", value={**value, "labels": [thing.label]}), *said]
    return [shape, *said]


@pytest.mark.parametrize("seed", CASES)
def test_random_cases(seed, tmp_path):
    drawn = draw(seed, ("box", "turned", "polygon", "ellipse"))
    put_images(drawn, tmp_path / "images")
    tasks = []
    for number, (name, (size, things)) in enumerate(drawn.items()):
        results = [r for n, thing in enumerate(things) for r in results_of(thing, size, n)]
        address = f"/data/local-files/?d=somewhere/{quote(name)}"
        if seed % 2:
            address = f"/data/upload/3/0a1b2c3d-{quote(name.split('/')[-1])}"
        annotation = {"result": results, "was_cancelled": False}
        tasks.append({"id": number, "data": {"image": address}, "annotations": [annotation]})
    path = tmp_path / "export.json"
    path.write_text(json.dumps(tasks))
    options = {**OPTIONS, "images": tmp_path / "images"}
    file = convert_label_studio(path, tmp_path / "gt.json", **options)
    round_ones = sum(t.kind == "ellipse" for _, things in drawn.values() for t in things)
    assert assert_holds(file, drawn) == ({shapes.ROUND: round_ones} if round_ones else {})


@pytest.mark.parametrize("seed", CASES[:5])
def test_json_min(seed, tmp_path):
    drawn = draw(seed, ("box",))
    put_images(drawn, tmp_path / "images")
    tasks = []
    for name, (size, things) in drawn.items():
        values = []
        for thing in things:
            thing.attributes = {}
            kind, value = value_of(thing, size)
            sizes = dict(original_width=size[0], original_height=size[1])
            values.append({**value, **sizes, f"{kind}labels": [thing.label]})
        tasks.append({"id": 1, "image": f"http://host/x/{quote(name)}", "box": values})
    path = tmp_path / "min.json"
    path.write_text(json.dumps(tasks))
    options = {**OPTIONS, "images": tmp_path / "images"}
    assert_holds(convert_label_studio(path, tmp_path / "gt.json", **options), drawn)


@pytest.fixture
def one(tmp_path):
    """Convert the results of one task on an image of 40 x 20 pixels, without the image itself."""

    def run(*results, **task):
        base = {"id": 5, "data": {"image": "s3://bucket/a.png"}}
        base["annotations"] = [{"result": list(results)}]
        path = tmp_path / "x.json"
        path.write_text(json.dumps([base | task]))
        file = convert_label_studio(path, tmp_path / "gt.json", **OPTIONS)
        return json.loads(file.read_text())

    return run


def box(*labels, **changed):
    value = dict(x=25, y=50, width=10, height=20, rectanglelabels=list(labels))
    size = dict(original_width=40, original_height=20, image_rotation=0)
    return dict(size, id="r", type="rectanglelabels", value=value) | changed


def test_what_is_left_out_is_counted(one):
    point = box(id="p", type="keypointlabels", value=dict(x=1, y=1, keypointlabels=["a"]))
    drawn = [
        {"result": [box("old")], "created_at": "2024-01-01"},
        {"result": [box("a", "b"), point], "created_at": "2024-01-02"},
        {"result": [], "was_cancelled": True, "created_at": "2024-01-03"},
    ]
    data = one(annotations=drawn, predictions=[{"result": []}])
    assert data["images"][0]["file_name"] == "a.png"
    assert [a["bbox"] for a in data["annotations"]] == [[10, 10, 4, 4]] * 2
    assert [c["name"] for c in data["categories"]] == ["a", "b"]
    wish = {PREDICTIONS: 1, OTHERS: 1, SEVERAL: 1, shapes.LEFT_OUT["point"]: 1}
    assert data["info"]["notes"] == wish
    drawn[0]["ground_truth"] = True
    assert [c["name"] for c in one(annotations=drawn)["categories"]] == ["old"]
    with pytest.raises(UserError, match="no image in it"):
        one(annotations=[drawn[2]])
    assert SKIPPED


def test_choices_of_an_image(one):
    choice = dict(id="c", type="choices", from_name="sky", value={"choices": ["clear"]})
    data = one(box("a"), choice)
    assert data["images"][0]["attributes"] == {"sky": "clear"}


def packed(values):
    """A writer of Label Studio's run lengths: words of 8 bits, sizes 3, 4, 8 and 16."""
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    start = 0
    while start < len(values):
        stop = start + 1
        while stop < len(values) and values[stop] == values[start] and stop - start < 65536:
            stop += 1
        if stop - start > 1:
            size = next(n for n, s in enumerate((3, 4, 8, 16)) if stop - start <= 2**s)
            width = (3, 4, 8, 16)[size]
            bits += f"1{size:02b}{stop - start - 1:0{width}b}{values[start]:08b}"
        else:
            bits += f"000{0:03b}{values[start]:08b}"
        start = stop
    bits += "0" * (-len(bits) % 8)
    return [int(bits[n : n + 8], 2) for n in range(0, len(bits), 8)]


def test_twenty_brushed_masks(one):
    random = np.random.default_rng(0)
    for _ in CASES:
        inside = random.random((20, 40)) < random.uniform(0.001, 0.9)
        inside[3, 4] = True
        pixels = np.repeat(inside[:, :, None] * 255, 4, 2).astype(np.uint8)
        rle = packed(pixels.ravel().tolist())
        assert np.array_equal(brush_mask(rle, (40, 20), "x"), inside)
    value = dict(format="rle", rle=rle, brushlabels=["a"])
    (found,) = one(box(type="brushlabels", value=value))["annotations"]
    assert np.array_equal(run_lengths.decode(found["segmentation"]), inside)
    with pytest.raises(UserError, match="a mask of 800 pixels, but the image has 20 x 20"):
        brush_mask(rle, (20, 20), "x")
    with pytest.raises(UserError, match="no brushed mask .cut off at bit"):
        brush_mask(rle[:20], (40, 20), "x")


def test_refusals(one, tmp_path):
    for result, message in (
        (box("a", image_rotation=90), "drawn on the image turned by 90 degrees"),
        (box(), "a shape without a class"),
        (box("a", value=dict(x=1, y=1, width=None, height=1)), "are not 4 numbers"),
        ({"id": "x"}, "no value or id"),
    ):
        with pytest.raises(FailedItems, match=rf"x.json, task 5 .*{message}"):
            one(box("a", id="q"), result)
    with pytest.raises(FailedItems, match="no size of a.png; say --images DIR"):
        one()
    path = tmp_path / "other.json"
    path.write_text(json.dumps([{"image": "a.jpg", "annotations": []}]))
    assert convert_label_studio.__doc__
    path.write_text(json.dumps({"shapes": []}))
    with pytest.raises(UserError, match="no JSON export of Label Studio's; it looks like labelme"):
        convert_label_studio(path, tmp_path / "gt.json", **OPTIONS)
