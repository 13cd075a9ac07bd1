"""CVAT's XML to COCO: twenty random cases of images, tracks of videos, and faults."""

import json
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import pytest
from pycocotools import mask as run_lengths

from d2freq.data.convert.tools import shapes
from d2freq.data.convert.tools.cvat import convert_cvat
from d2freq.data.convert.tools.records import ABSENT
from d2freq.errors import UserError
from d2freq.utils.jobs import FailedItems

from .cases import CASES, LABELS, assert_holds, draw, put_images

OPTIONS = {"workers": 1, "progress": False}
HEAD = (
    "<?xml version='1.0' encoding='utf-8'?><annotations><version>1.1</version><meta><task>"
    "<size>3</size><start_frame>0</start_frame><original_size><width>60</width><height>40</height>"
    "</original_size><labels>"
    + "".join(f"<label><name>{escape(name)}</name></label>" for name in LABELS)
    + "</labels></task></meta>"
)


def text_of(thing):
    about = (
        f'label={quoteattr(thing.label)} occluded="{thing.occluded}" source="manual" z_order="0"'
    )
    inside = "".join(
        f"<attribute name={quoteattr(key)}>{escape(value)}</attribute>"
        for key, value in thing.attributes.items()
    )
    if thing.kind in ("box", "turned"):
        x, y, w, h, *turn = thing.numbers
        kind, sides = "box", f'xtl="{x}" ytl="{y}" xbr="{x + w}" ybr="{y + h}"'
        sides += "".join(f' rotation="{degrees}"' for degrees in turn)
    elif thing.kind == "ellipse":
        cx, cy, rx, ry, turn = thing.numbers
        kind, sides = "ellipse", f'cx="{cx}" cy="{cy}" rx="{rx}" ry="{ry}" rotation="{turn}"'
    else:
        kind, sides = "polygon", 'points="' + ";".join(f"{x},{y}" for x, y in thing.numbers) + '"'
    return f"<{kind} {about} {sides}>{inside}</{kind}>"


@pytest.mark.parametrize("seed", CASES)
def test_random_cases(seed, tmp_path):
    drawn = draw(seed, ("box", "polygon", "turned", "ellipse"))
    images = "".join(
        f'<image id="{n}" name={quoteattr(name)} width="{size[0]}" height="{size[1]}">'
        + "".join(map(text_of, things))
        + "</image>"
        for n, (name, (size, things)) in enumerate(drawn.items())
    )
    (tmp_path / "annotations.xml").write_text(f"{HEAD}{images}</annotations>", encoding="utf-8")
    options = dict(OPTIONS)
    if seed % 2:
        put_images(drawn, tmp_path / "images")
        options["images"] = tmp_path / "images"
    file = convert_cvat(tmp_path, tmp_path / "gt.json", **options)
    round_ones = sum(t.kind == "ellipse" for _, things in drawn.values() for t in things)
    notes = assert_holds(file, drawn, occluded=True)
    assert notes == ({shapes.ROUND: round_ones} if round_ones else {})
    names = [c["name"] for c in json.loads(file.read_text())["categories"]]
    assert names == list(LABELS)  # in the order of the XML, used or not


@pytest.fixture
def one(tmp_path):
    def run(text, **options):
        path = tmp_path / "annotations.xml"
        path.write_text(f"{HEAD}{text}</annotations>", encoding="utf-8")
        file = convert_cvat(path, tmp_path / "gt.json", **OPTIONS, **options)
        return json.loads(file.read_text())

    return run


def image(inside, name="a.jpg"):
    return f'<image id="0" name="{name}" width="60" height="40">{inside}</image>'


def test_masks_tags_and_what_is_left_out(one):
    label = 'label="Öltank" occluded="0"'
    inside = np.array([[0, 1, 1], [1, 0, 1]], bool)
    mask = f'<mask {label} rle="1, 3, 1, 1" left="57" top="38" width="3" height="2"/>'
    rest = f'<points {label} points="1,2"/><polyline {label} points="1,2;3,4"/>'
    rest += f'<cuboid {label}/><skeleton {label}/><tag label="night"/>'
    data = one(image(mask + rest))
    (found,) = data["annotations"]
    assert found["bbox"] == [57, 38, 3, 2]
    assert np.array_equal(run_lengths.decode(found["segmentation"])[38:, 57:], inside)
    assert data["images"][0]["tags"] == [{"label": "night"}]
    kinds = ("point", "line", "cuboid", "skeleton", "tag")
    assert data["info"]["notes"] == {shapes.LEFT_OUT[kind]: 1 for kind in kinds}


def test_tracks_of_a_video(one, tmp_path):
    def box(frame, x, outside=0):
        sides = f'xtl="{x}" ytl="5" xbr="{x + 4}" ybr="8" keyframe="1" occluded="1"'
        return f'<box frame="{frame}" outside="{outside}" {sides}/>'

    data = one(f'<track id="7" label="Öltank">{box(0, 10)}{box(2, 14)}{box(1, 12, 1)}</track>')
    names = [entry["file_name"] for entry in data["images"]]
    assert names == [f"frame_00000{n}.PNG" for n in range(3)]
    found = [(a["image_id"], a["bbox"], a["track_id"], a["occluded"]) for a in data["annotations"]]
    assert found == [(1, [10, 5, 4, 3], "7", 1), (3, [14, 5, 4, 3], "7", 1)]
    # exports have the images of frames with a shape alone
    put_images({"frame_000002.png": ((60, 40), [])}, tmp_path / "frames")
    data = one(f'<track id="7" label="Öltank">{box(2, 14)}</track>', images=tmp_path / "frames")
    assert len(data["images"]) == 1 and data["info"]["notes"] == {ABSENT: 2}
    data = one(f'<track id="7" label="Öltank">{box(4, 1)}</track>', frames="{:03d}.jpg")
    assert [entry["file_name"] for entry in data["images"]][-1] == "004.jpg"


def test_refusals(one, tmp_path):
    with pytest.raises(UserError, match="the image a.jpg again, which .*keep one"):
        one(image("") + image(""))
    for text, message in (
        ('<box label="Öltank" xtl="x" ytl="1" xbr="2" ybr="2"/>', "shape 1: .* are not 4 numbers"),
        ('<box label="tree" xtl="1" ytl="1" xbr="2" ybr="2"/>', "class 'tree'; known are ship"),
        ('<mask label="Öltank" rle="9" left="0" top="0" width="2" height="2"/>', "sum to 9, not"),
        ('<sphere label="Öltank"/>', "a shape 'sphere'"),
    ):
        with pytest.raises(FailedItems, match=message):
            one(image(text))
    path = tmp_path / "voc.xml"
    path.write_text("<annotation><object><name>a</name></object></annotation>")
    with pytest.raises(UserError, match="looks like Pascal VOC's XML: 'd2freq convert voc' reads"):
        convert_cvat(path, tmp_path / "gt.json", **OPTIONS)
    with pytest.raises(UserError, match="no such file; CVAT exports"):
        convert_cvat(tmp_path / "gone.xml", tmp_path / "gt.json", **OPTIONS)


def test_xml_that_lacks_what_cvat_writes(one, tmp_path):
    path = tmp_path / "annotations.xml"
    path.write_text("<annotations><image/></annotations>")
    with pytest.raises(UserError, match=r"no XML of CVAT's \(annotations with a version\)"):
        convert_cvat(tmp_path, tmp_path / "gt.json", **OPTIONS)
    box = '<box frame="{}" outside="0" xtl="1" ytl="5" xbr="4" ybr="8"/>'
    with pytest.raises(UserError, match="track 7: frame 'x' is no number; export again"):
        one(f'<track id="7" label="Öltank">{box.format("x")}</track>')
    for pattern in ("{:q}.png", "{0}{1}.png", "{name}.png"):
        with pytest.raises(UserError, match="--frames .*; write the number as in"):
            one(f'<track id="7" label="Öltank">{box.format(1)}</track>', frames=pattern)
    with pytest.raises(FailedItems, match=r"no size of a\.jpg; say --images DIR"):
        one('<image id="1" name="a.jpg" width="60"/>')
