"""Values of another kind than a tool writes are one line with the record, and none is misread."""

import base64
import io
import json
import logging
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from d2freq.data.convert.tools import records
from d2freq.data.convert.tools.createml import SHARES, convert_createml
from d2freq.data.convert.tools.cvat import convert_cvat
from d2freq.data.convert.tools.label_studio import RELATIONS, UNKNOWN, convert_label_studio
from d2freq.data.convert.tools.labelme import convert_labelme
from d2freq.data.convert.tools.via import convert_via
from d2freq.errors import UserError
from d2freq.utils.jobs import FailedItems

from .cases import put_images

OPTIONS = {"workers": 1, "progress": False}
RECTANGLE = {"label": "a", "shape_type": "rectangle", "points": [[1, 1], [9, 9]]}


@pytest.fixture
def root(tmp_path):
    put_images({"a b.jpg": ((60, 40), [])}, tmp_path)
    return tmp_path


def labelme(root, name="a b.jpg", **changed):
    content = {"shapes": [{**RECTANGLE, **changed}], "imagePath": name, "flags": {}}
    (root / "a.json").write_text(json.dumps(content))
    return json.loads(convert_labelme(root, root / "out/gt.json", **OPTIONS).read_text())


@pytest.mark.parametrize(
    "changed",
    [
        {"attributes": ["x"]},
        {"flags": ["x"]},
        {"group_id": [1], "shape_type": "polygon"},
        {"shape_type": ["polygon"]},
        {"points": {"x": 1}},
    ],
    ids=str,
)
def test_of_labelme(root, changed):
    with pytest.raises(FailedItems, match=r"a\.json.*correct the record"):
        labelme(root, **changed)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA"])
def test_masks_of_labelme_in_every_mode(root, mode):
    drawn = io.BytesIO()
    Image.fromarray(np.full((4, 5), 255, np.uint8)).convert(mode).save(drawn, "PNG")
    text = base64.b64encode(drawn.getvalue()).decode()
    found = labelme(root, shape_type="mask", points=[[10, 10], [14, 13]], mask=text)
    assert found["annotations"][0]["bbox"] == [10, 10, 5, 4]


def test_names_with_percent_signs(root):
    assert labelme(root, "images%5CA%20b.jpg")["images"][0]["file_name"] == "a b.jpg"


@pytest.mark.parametrize("runs", ["3, -1, 98", "3.5, 1.5, 95", "nan, 100", "99"])
def test_run_lengths_of_cvat(root, runs):
    shape = f'<mask label="a" rle="{runs}" left="0" top="0" width="10" height="10"/>'
    text = f'<image id="0" name="a b.jpg" width="60" height="40">{shape}</image>'
    (root / "annotations.xml").write_text(
        f"<annotations><version>1.1</version>{text}</annotations>"
    )
    with pytest.raises(FailedItems, match=r"image 0 \(a b\.jpg\), shape 1: "):
        convert_cvat(root, root / "out/gt.json", **OPTIONS)


@pytest.mark.parametrize("attributes", [["x"], "x"])
def test_attributes_of_via(root, attributes):
    shape = {"name": "rect", "x": 1, "y": 1, "width": 5, "height": 5}
    region = {"shape_attributes": shape, "region_attributes": attributes}
    (root / "v.json").write_text(json.dumps({"a": {"filename": "a b.jpg", "regions": [region]}}))
    with pytest.raises(FailedItems, match=r"v\.json, a"):
        convert_via(
            root / "v.json", root / "gt.json", images=root, class_attribute="class", **OPTIONS
        )


def test_shares_of_createml_as_text(root):
    sides = dict(x="0.5", y=".5", width="1e-1", height="0.1")
    entry = {"image": "a b.jpg", "annotations": [{"label": "a", "coordinates": sides}]}
    (root / "c.json").write_text(json.dumps([entry]))
    found = json.loads(convert_createml(root / "c.json", root / "gt.json", **OPTIONS).read_text())
    assert found["annotations"][0]["bbox"] == pytest.approx([27, 18, 6, 4])
    assert found["info"]["notes"] == {SHARES: 1}


def test_results_of_label_studio_that_are_no_shape_are_counted(root):
    value = {"x": 10, "y": 10, "width": 10, "height": 10, "rectanglelabels": ["a"]}
    results = [
        {"id": "1", "type": "rectanglelabels", "value": value},
        {"id": "2", "type": "videorectangle", "value": {"sequence": []}},
        {"id": "3", "type": "labels", "value": {"start": 1, "end": 2, "labels": ["a"]}},
        {"id": "4", "type": "choices", "from_name": "sky", "value": {"choices": ["clear"]}},
    ]
    task = {"data": {"image": "a b.jpg"}, "annotations": [{"result": results}], "predictions": 3}
    (root / "l.json").write_text(json.dumps([task]))
    file = convert_label_studio(root / "l.json", root / "gt.json", images=root, **OPTIONS)
    found = json.loads(file.read_text())
    assert found["info"]["notes"] == {UNKNOWN: 2} and len(found["annotations"]) == 1
    assert found["images"][0]["attributes"] == {"sky": "clear"}


PIXELS = {
    "width": ({"x": 500}, "500 is no percent of the image's width.*pixels / original_width"),
    "height": ({"height": 201}, "201 is no percent of the image's height"),
    "negative": ({"y": -300}, "-300 is no percent of the image's height"),
    "outside": ({"x": 150}, "150 is no percent of the image's width"),
    "ellipse": ({"y": 120, "radiusX": 5, "radiusY": 5}, "120 is no percent of the image's height"),
    "polygon": ({"points": [[1, 1], [9, 1], [9, 210]]}, "210 is no percent of the image's height"),
    "turned": ({"x": 120, "width": 60, "height": 9, "rotation": 180}, ""),
    "over the border": ({"x": 99, "y": -5, "width": 40}, ""),
}


@pytest.mark.parametrize("case", PIXELS)
def test_pixels_in_label_studio_are_no_percents(root, case):
    changed, message = PIXELS[case]
    kind = case if case in ("ellipse", "polygon") else "rectangle"
    value = {"x": 10, "y": 10, "width": 10, "height": 10, f"{kind}labels": ["a"], **changed}
    results = [{"id": "1", "type": f"{kind}labels", "value": value}]
    task = {"id": 7, "data": {"image": "a b.jpg"}, "annotations": [{"result": results}]}
    (root / "l.json").write_text(json.dumps([task]))
    arguments = root / "l.json", root / "gt.json"
    if message:
        with pytest.raises(FailedItems, match=rf"task 7 \(a b.jpg\), result 1: {message}"):
            convert_label_studio(*arguments, images=root, **OPTIONS)
    else:
        convert_label_studio(*arguments, images=root, **OPTIONS)


@pytest.mark.parametrize("error", [TypeError, AttributeError, KeyError, ValueError])
def test_a_fault_of_a_reader_can_be_told(error, caplog, monkeypatch):
    def fail(*_):
        raise error("own fault")

    monkeypatch.setattr(records, "look_at", fail)

    def read(record, _):
        return records._image_size(record, "x", "a", Counter())

    record = records.Record("a.png", "x.json, image 1", {"a": 1}, (4, 4), "x.json")
    with caplog.at_level(logging.DEBUG), pytest.raises(UserError) as caught:
        records._convert((record, "a.png"), read=read, root="", names=None)
    assert isinstance(caught.value.__cause__, error)
    said, name = str(caught.value), error.__name__
    assert said.startswith(
        f"x.json, image 1: a value of another kind than the tool writes ({name}: "
    )
    assert "own fault" in said and "d2freq.data.convert.tools.records, line " in said
    (told,) = caplog.records
    assert told.exc_info[0] is error and "x.json, image 1: {'a': 1}" in told.getMessage()


def of_label_studio(root, *tasks, **options):
    (root / "l.json").write_text(json.dumps(tasks[0] if len(tasks) == 1 else tasks))
    file = convert_label_studio(root / "l.json", root / "gt.json", **OPTIONS, **options)
    return json.loads(file.read_text())


def test_shapes_of_min_exports_without_their_kind(root):
    size = {"original_width": 60, "original_height": 40}
    shapes = [
        {"x": 10, "y": 10, "width": 10, "height": 10},
        {"x": 50, "y": 50, "radiusX": 10, "radiusY": 10},
        {"points": [[10, 10], [20, 10], [20, 30]]},
    ]
    task = {"image": "a b.jpg", "id": 1, "box": [{**s, **size, "labels": ["a"]} for s in shapes]}
    (root / "l.json").write_text(json.dumps([task]))
    file = convert_label_studio(root / "l.json", root / "gt.json", images=root, **OPTIONS)
    boxes = [a["bbox"] for a in json.loads(file.read_text())["annotations"]]
    assert boxes[0] == [6, 4, 6, 4] and boxes[2] == [6, 4, 6, 8]
    assert boxes[1] == pytest.approx([24, 16, 12, 8], abs=1e-2)


def test_one_task_of_label_studio_as_its_api_gives_it(root):
    value = {"x": 10, "y": 10, "width": 10, "height": 10, "rectanglelabels": ["a"]}
    result = {"id": "1", "type": "rectanglelabels", "value": value}
    link = {"type": "relation", "from_id": "1", "to_id": "1"}
    task = {"data": {"image": "a b.jpg"}, "annotations": [{"result": [result, link]}]}
    found = of_label_studio(root, task, images=root)
    assert [a["bbox"] for a in found["annotations"]] == [[6, 4, 6, 4]]
    assert found["info"]["notes"] == {RELATIONS: 1}
    task["annotations"].append({"result": [], "was_cancelled": True})
    assert len(of_label_studio(root, task, images=root)["annotations"]) == 1


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"data": {"words": "hello"}}, "task 0: no image among words"),
        ({"data": {"image": "a b.jpg"}, "annotations": [{"id": 3}]}, "annotations without result"),
        (
            {"data": {"image": "a b.jpg"}, "annotations": [{"result": [7]}]},
            "result 1: 7 is no result; export again",
        ),
    ],
)
def test_tasks_of_label_studio_that_lack_a_part(root, task, message):
    if "annotations" not in task:
        task["annotations"] = [{"result": []}]
    with pytest.raises(UserError, match=message):
        of_label_studio(root, task, images=root)
    with pytest.raises(UserError, match=r"l\.json: no JSON export of Label Studio's"):
        of_label_studio(root, task, 7)


def entry_of(name, label="a"):
    sides = {"x": 30, "y": 20, "width": 6, "height": 4}
    return {"image": name, "annotations": [{"label": label, "coordinates": sides}]}


def of_createml(root, *entries, source="c.json", **options):
    (root / "c.json").write_text(json.dumps(entries))
    file = convert_createml(root / source, root / "out/gt.json", **OPTIONS, **options)
    return json.loads(file.read_text())


def test_which_image_and_class_a_record_means(root):
    assert len(of_createml(root, entry_of("a b.jpg"), source=".")["annotations"]) == 1
    (root / "d.json").write_text("[]")
    with pytest.raises(UserError, match="2 JSON files; name the one that is meant"):
        of_createml(root, entry_of("a b.jpg"), source=".")
    with pytest.raises(FailedItems, match="class 'b'; known are a; name it with --names"):
        of_createml(root, entry_of("a b.jpg", "b"), names="a")
    with pytest.raises(UserError, match="gone: no such folder of images"):
        of_createml(root, entry_of("a b.jpg"), images=str(root / "gone"))
    (root / "a b.jpg").write_bytes(b"no picture")
    with pytest.raises(FailedItems, match=r"a b\.jpg: unreadable image .*; fetch it again"):
        of_createml(root, entry_of("a b.jpg"))
    put_images({"p/x.jpg": ((60, 40), []), "q/x.jpg": ((60, 40), [])}, root)
    with pytest.raises(UserError, match=r"x\.jpg may be p/x\.jpg or q/x\.jpg in .*--images"):
        of_createml(root, entry_of("x.jpg"))


def test_labels_of_an_unturned_image(root):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (60, 40)).save(root / "a b.jpg", exif=exif)
    box = '<box label="a" xtl="1" ytl="1" xbr="5" ybr="5"/>'

    def of_cvat(width, height):
        text = f'<image id="0" name="a b.jpg" width="{width}" height="{height}">{box}</image>'
        path = root / "annotations.xml"
        path.write_text(f"<annotations><version>1.1</version>{text}</annotations>")
        return convert_cvat(path, root / "gt.json", images=root, **OPTIONS)

    assert json.loads(of_cvat(40, 60).read_text())["images"][0]["height"] == 60
    with pytest.raises(FailedItems, match=r"turned by its EXIF tag, but .*60 x 40.*exiftool"):
        of_cvat(60, 40)
    with pytest.raises(FailedItems, match="40 x 60 pixels, but .* has labels of 70 x 40; give"):
        of_cvat(70, 40)


def test_labelme_without_a_list_of_shapes_or_a_shape(root):
    (root / "a.json").write_text(json.dumps({"shapes": [7], "imagePath": "a b.jpg", "flags": {}}))
    with pytest.raises(FailedItems, match="shape 1: 7 is no shape; correct the record"):
        convert_labelme(root, root / "out/gt.json", **OPTIONS)


def test_an_export_without_an_image(root):
    with pytest.raises(UserError, match=r"x\.json: no image in it"):
        records.convert_records([], root / "gt.json", None, source="x.json", tool="via")
