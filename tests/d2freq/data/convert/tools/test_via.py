"""VGG Image Annotator to COCO: twenty random cases in each of its files, and faults."""

import csv
import json
import math

import pytest

from d2freq.data.convert.tools import shapes
from d2freq.data.convert.tools.via import convert_via
from d2freq.errors import UserError
from d2freq.utils.jobs import FailedItems

from .cases import CASES, assert_holds, draw, put_images

OPTIONS = {"workers": 1, "progress": False}


def region_of(thing):
    if thing.kind == "box":
        shape = dict(zip(("x", "y", "width", "height"), thing.numbers, strict=True), name="rect")
    elif thing.kind == "ellipse":
        cx, cy, rx, ry, degrees = thing.numbers
        shape = dict(name="ellipse", cx=cx, cy=cy, rx=rx, ry=ry, theta=math.radians(degrees))
    else:
        xs, ys = zip(*thing.numbers, strict=True)
        shape = dict(name="polygon", all_points_x=list(xs), all_points_y=list(ys))
    return dict(
        shape_attributes=shape, region_attributes={"Class": thing.label, **thing.attributes}
    )


def write(kind, drawn, folder):
    entries = {
        f"{name}-1": dict(filename=name, size=-1, regions=list(map(region_of, things)))
        | dict(file_attributes={})
        for name, (_, things) in drawn.items()
    }
    if kind == "csv":
        path = folder / "via_export_csv.csv"
        with open(path, "w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            columns = "filename,file_size,file_attributes,region_count,region_id,"
            rows.writerow((columns + "region_shape_attributes,region_attributes").split(","))
            for entry in entries.values():
                count = len(entry["regions"])
                for n, region in enumerate(entry["regions"] or [{}]):
                    parts = (region.get(f"{k}_attributes", {}) for k in ("shape", "region"))
                    texts = [json.dumps(part) for part in parts]
                    rows.writerow([entry["filename"], -1, "{}", count, n, *texts])
        return path
    path = folder / f"via_{kind}.json"
    if kind == "old":  # version 1 numbers regions by text
        for entry in entries.values():
            entry["regions"] = {str(n): r for n, r in enumerate(entry["regions"])}
    content = {"_via_settings": {}, "_via_img_metadata": entries} if kind == "project" else entries
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("seed", CASES)
def test_random_cases(seed, tmp_path):
    drawn = draw(seed, ("box", "polygon", "ellipse"))
    put_images(drawn, tmp_path / "images")
    path = write(("project", "export", "csv", "old")[seed % 4], drawn, tmp_path)
    file = convert_via(path, tmp_path / "gt.json", images=tmp_path / "images", **OPTIONS)
    round_ones = sum(t.kind == "ellipse" for _, things in drawn.values() for t in things)
    assert assert_holds(file, drawn) == ({shapes.ROUND: round_ones} if round_ones else {})


@pytest.fixture
def one(tmp_path):
    def run(*regions, name="a.jpg", **options):
        put_images({"a.jpg": ((60, 40), [])}, tmp_path)
        entry = dict(filename=name, size=9, regions=list(regions), file_attributes={"sky": "x"})
        (tmp_path / "via.json").write_text(json.dumps({"a.jpg9": entry}))
        file = convert_via(
            tmp_path / "via.json", tmp_path / "gt.json", images=tmp_path, **OPTIONS, **options
        )
        return json.loads(file.read_text())

    return run


def region(shape=None, **attributes):
    shape = shape or dict(name="rect", x=5, y=6, width=7, height=8)
    return dict(shape_attributes=shape, region_attributes=attributes)


def test_which_attribute_is_the_class(one):
    def names(*regions, **options):
        return [c["name"] for c in one(*regions, **options)["categories"]]

    assert names(region(kind="car")) == ["car"]
    assert names(region(colour="red", type="car")) == ["car"]
    assert names(region(colour="red", make="vw"), class_attribute="make") == ["vw"]
    assert names(region(type={"car": True, "van": False})) == ["car"]
    assert names(region(), names="ship") == ["ship"]
    with pytest.raises(UserError, match="attributes colour, make; say which .*--class-attribute"):
        names(region(colour="red", make="vw"))
    with pytest.raises(UserError, match="no attribute, so no class; say --names car"):
        names(region())
    with pytest.raises(FailedItems, match="region 1: classes car, van at once"):
        names(region(type={"car": True, "van": True}))
    with pytest.raises(FailedItems, match=r"region 1: a shape without a class \(''\)"):
        names(region(type=""))


def test_circles_points_and_empty_boxes(one):
    data = one(
        region(dict(name="circle", cx=20, cy=10, r=5), type="a"),
        region(dict(name="point", cx=20, cy=10), type="a"),
        region(dict(name="rect", x=20, y=10, width=0, height=4), type="a"),
        region(type="a"),
        region(type="a"),
    )
    assert [a["bbox"] for a in data["annotations"]] == [[15, 5, 10, 10], *[[5, 6, 7, 8]] * 2]
    assert data["images"][0]["attributes"] == {"sky": "x"}
    said = " ".join(data["info"]["notes"])
    for words in ("circles", "points left out", "no width", "in one place"):
        assert words in said


def test_refusals(one, tmp_path):
    with pytest.raises(FailedItems, match=r"region 1: \[None, None, None, None\] are not 4 num"):
        one(region(dict(name="rect"), type="a"))
    with pytest.raises(FailedItems, match="shape 'cube' is unknown"):
        one(region(dict(name="cube"), type="a"))
    with pytest.raises(FailedItems, match="no image 'b.jpg' below"):
        one(region(type="a"), name="b.jpg")
    path = tmp_path / "other.json"
    for content, message in (
        ({"project": {}, "config": {}, "file": {}, "metadata": {}}, "a project of VIA 3"),
        ({"shapes": [], "imagePath": "a"}, "looks like labelme JSON: 'd2freq convert labelme'"),
        ({"images": [], "annotations": [], "categories": []}, "a COCO file: it needs no conv"),
    ):
        path.write_text(json.dumps(content))
        with pytest.raises(UserError, match=message):
            convert_via(path, tmp_path / "gt.json", images=tmp_path, **OPTIONS)
    table = tmp_path / "x.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="no CSV of VIA's"):
        convert_via(table, tmp_path / "gt.json", images=tmp_path, **OPTIONS)


def test_what_is_no_region_is_refused(one):
    with pytest.raises(FailedItems, match="region 2: no shape_attributes; export again"):
        one(region(type="a"), {"region_attributes": {"type": "a"}})
    with pytest.raises(FailedItems, match="region 1: 2 x and 1 y; correct the record"):
        one(region(dict(name="polygon", all_points_x=[1, 2], all_points_y=[3]), type="a"))
    data = one(names="a")
    assert data["annotations"] == [] and data["images"][0]["file_name"] == "a.jpg"


def test_refusals_of_csv(tmp_path):
    put_images({"a.jpg": ((60, 40), [])}, tmp_path)
    head = "#filename,file_size,file_attributes,region_shape_attributes,region_attributes\n"
    path = tmp_path / "via.csv"
    for line, message in (
        ("a.jpg,9,{}\n", r"via\.csv, line 3: 3 fields, expected 5"),
        ("a.jpg,9,{},{oops},{}\n", r"line 3: '\{oops\}' is no JSON \(.*export again"),
        ("a.jpg,9,{},7,{}\n", "line 3: '7' is no object; export again"),
    ):
        path.write_text(head + "\n" + line)
        with pytest.raises(UserError, match=message):
            convert_via(path, tmp_path / "gt.json", images=tmp_path, **OPTIONS)
