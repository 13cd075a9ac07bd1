"""labelme's files to COCO: twenty random cases, and what people really export."""

import base64
import io
import json
import math

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as run_lengths

from d2freq.data.convert.tools import shapes
from d2freq.data.convert.tools.labelme import JOINED, STRANGERS, convert_labelme
from d2freq.errors import UserError
from d2freq.utils.jobs import FailedItems

from .cases import CASES, assert_holds, draw, put_images

OPTIONS = {"workers": 1, "progress": False}


def shape_of(thing):
    if thing.kind == "box":
        x, y, w, h = thing.numbers
        points, kind = [[x + w, y], [x, y + h]], "rectangle"  # corners in any order
    else:
        points = np.reshape(thing.wish()["segmentation"], (-1, 2)).tolist()
        kind = "rotation" if thing.kind == "turned" else "polygon"
    about = {"label": f" {thing.label} ", "flags": thing.attributes, "group_id": None}
    return {**about, "points": points, "shape_type": kind, "description": ""}


def write(folder, name, size, shapes, **changed):
    file = (folder / name).with_suffix(".json")
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {
        **dict(version="5.5.0", flags={}, shapes=shapes, imagePath=name.split("/")[-1]),
        **dict(imageData=None, imageWidth=size[0], imageHeight=size[1]),
    }
    file.write_text(json.dumps(content | changed), encoding="utf-8")
    return file


@pytest.mark.parametrize("seed", CASES)
def test_random_cases(seed, tmp_path):
    drawn = draw(seed, ("box", "polygon", "turned"))
    put_images(drawn, tmp_path / "set")
    for name, (size, things) in drawn.items():
        write(tmp_path / "set", name, size, list(map(shape_of, things)))
    file = convert_labelme(tmp_path / "set", tmp_path / "gt.json", **OPTIONS)
    assert assert_holds(file, drawn) == {}


@pytest.fixture
def one(tmp_path):
    """Convert shapes on an image of 40 x 30 pixels."""

    def run(*shapes, name="a.png", **changed):
        Image.new("L", (40, 30)).save(tmp_path / "a.png")
        write(tmp_path, name, (40, 30), list(shapes), **changed)
        file = convert_labelme(tmp_path / "a.json", tmp_path / "gt.json", **OPTIONS)
        data = json.loads(file.read_text())
        return data["annotations"], data["info"]["notes"], data["images"]

    return run


def test_shapes_of_every_kind(one):
    square = dict(label="a", points=[[1, 1], [9, 1], [9, 9]], group_id=3, shape_type="polygon")
    other = dict(square, points=[[20, 1], [22, 1], [22, 4]])
    circle = dict(label="b", points=[[10, 10], [13, 14]], shape_type="circle")
    old = dict(label="c", points=[[1, 2], [3, 2], [3, 5]])  # versions before 3 say no type
    left_out = [dict(label="d", points=[[1, 1]], shape_type=kind) for kind in ("point", "line")]
    hard = dict(old, difficult=True, description="half hidden")
    found, notes, images = one(square, circle, other, old, *left_out, hard, flags={"night": True})
    assert [a["bbox"] for a in found] == [
        [1, 1, 21, 8],
        [5, 5, 10, 10],
        [1, 2, 2, 3],
        [1, 2, 2, 3],
    ]
    assert found[0]["segmentation"] == [[1, 1, 9, 1, 9, 9], [20, 1, 22, 1, 22, 4]]
    assert found[1]["ellipse"] == [10, 10, 5, 5, 0]
    assert (found[3]["difficult"], found[3]["iscrowd"]) == (1, 1)
    assert found[3]["description"] == "half hidden" and images[0]["flags"] == {"night": True}
    for note in (JOINED, shapes.ROUND, shapes.LEFT_OUT["point"], shapes.LEFT_OUT["line"]):
        assert notes[note] == 1


def test_masks(one):
    inside = np.zeros((5, 7), np.uint8)
    inside[1:4, 2:6] = 255
    text = io.BytesIO()
    Image.fromarray(inside).save(text, "PNG")
    mask = base64.b64encode(text.getvalue()).decode()
    shape = dict(label="a", points=[[10, 20], [16, 24]], shape_type="mask", mask=mask)
    (found,), _, _ = one(shape)
    assert found["bbox"] == [12, 21, 4, 3]
    whole = run_lengths.decode(found["segmentation"])
    assert whole.shape == (30, 40) and np.array_equal(whole[20:25, 10:17], inside > 0)
    with pytest.raises(FailedItems, match=r"a.json, shape 1: its mask is no PNG"):
        one(dict(shape, mask="AAAA"))


@pytest.mark.parametrize("path", ["..\\images\\a.png", "C:\\x\\a.png", "/home/x/A.PNG", "./a.png"])
def test_paths_of_other_machines(one, path):
    assert one(dict(label="a", points=[[1, 1], [2, 3]], shape_type="rectangle"), imagePath=path)


def test_no_path_at_all(one):
    box = dict(label="a", points=[[1, 1], [2, 3]], shape_type="rectangle")
    assert one(box, imagePath=None)[2][0]["file_name"] == "a.png"


def test_refusals(one, tmp_path):
    box = dict(label="a", points=[[1, 1], [2, 3]], shape_type="rectangle")
    for wrong, message in (
        (dict(box, label=""), "shape 1: a shape without a class"),
        (dict(box, points=[[1, math.nan], [2, 3]]), "shape 1: .* are not 2 numbers"),
        (dict(box, points=[]), "are no points"),
        (dict(box, shape_type="cube"), "shape_type 'cube' is unknown"),
    ):
        with pytest.raises(FailedItems, match=message):
            one(wrong)
    with pytest.raises(FailedItems, match=r"40 x 30 pixels, but .*a.json has labels of 80 x 60"):
        one(box, imageWidth=80, imageHeight=60)
    with pytest.raises(FailedItems, match=r"no image '.*gone.png' below"):
        one(box, imagePath="gone.png")
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(UserError, match="no file of labelme's"):
        convert_labelme(tmp_path / "a.json", tmp_path / "gt.json", **OPTIONS)


def test_turned_images_and_strangers(tmp_path):
    picture = Image.new("L", (40, 30))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "a.jpg", exif=exif)
    (tmp_path / "classes.json").write_text('{"a": 1}')
    box = dict(label="a", points=[[1, 1], [2, 35]], shape_type="rectangle")
    write(tmp_path, "a.jpg", (30, 40), [box])  # labelme turns the image, too
    file = convert_labelme(tmp_path, tmp_path / "out/gt.json", **OPTIONS)
    data = json.loads(file.read_text())
    assert (data["images"][0]["width"], data["images"][0]["height"]) == (30, 40)
    assert data["info"]["notes"] == {STRANGERS: 1}
    write(tmp_path, "a.jpg", (40, 30), [box])
    with pytest.raises(FailedItems, match="turned by its EXIF tag, but .*exiftool"):
        convert_labelme(tmp_path, tmp_path / "out/gt.json", **OPTIONS)
