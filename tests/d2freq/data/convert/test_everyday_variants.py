"""Exports as people have them that once were misread, or refused without the right cure."""

import json

import pytest
from PIL import Image

from d2freq.cli import main

from ...coco_cases import coco

THING = (
    "<object><name>boat</name>{}<bndbox><xmin>11</xmin><ymin>11</ymin><xmax>20</xmax>"
    "<ymax>18</ymax></bndbox></object>"
)
SIZE = "<size><width>100</width><height>80</height></size>"
VOC = f"<annotation>{SIZE}{{}}</annotation>"
VIA = (
    "filename;file_size;file_attributes;region_count;region_id;region_shape_attributes;"
    'region_attributes\r\na.png;1;"{}";1;0;'
    '"{""name"":""rect"",""x"":10,""y"":10,""width"":10,""height"":8}";"{""type"":""boat""}"\r\n'
)


@pytest.fixture
def convert(tmp_path, capsys):
    """A function that writes files beside the image a.png and converts: exit code, text, data."""
    Image.new("RGB", (100, 80)).save(tmp_path / "a.png")

    def run(what, files, *options, source="."):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        output = tmp_path / "out" / "gt.json"
        words = [str(tmp_path / source), *options, "--output", str(output), "--workers", "1"]
        code = main(["convert", what, *words])
        said = capsys.readouterr()
        data = json.loads(output.read_text()) if output.exists() else None
        return code, said.out + said.err, data

    run.folder = tmp_path
    return run


def test_attributes_of_cvats_voc_are_kept_and_parts_counted(convert):
    about = "<attributes><attribute><name>colour</name><value>red</value></attribute></attributes>"
    part = "<part><name>mast</name></part>"
    code, text, data = convert("voc", {"a.xml": VOC.format(THING.format(about + part))})
    assert code == 0 and "1 parts of objects (heads, hands) left out" in text
    assert data["annotations"][0]["attributes"] == {"colour": "red"}
    assert data["annotations"][0]["bbox"] == [10, 10, 10, 8]


@pytest.mark.parametrize("text", ["<html><body/></html>", "<annotations><image/></annotations>"])
def test_other_xml_is_no_image_without_objects(convert, text):
    code, said, data = convert("voc", {"a.xml": text}, "--names", "boat")
    assert code == 2 and data is None and "a.xml: no XML of Pascal VOC's" in said


def test_voc_of_a_turned_picture_is_refused(convert):
    image = Image.new("RGB", (100, 80))
    tag = image.getexif()
    tag[0x0112] = 6
    (convert.folder / "a.png").unlink()
    image.save(convert.folder / "a.jpg", exif=tag)
    code, said, data = convert("voc", {"a.xml": VOC.format(THING.format(""))})
    assert code == 2 and data is None and "turned by its EXIF tag, but" in said
    assert "exiftool -Orientation=" in said


@pytest.mark.parametrize("line", ["a.png", "a", "/data/JPEGImages/a.jpg", "x\\a.png 1"])
def test_a_voc_list_with_paths_and_endings(convert, line):
    Image.new("RGB", (100, 80)).save(convert.folder / "b.png")
    files = {"a.xml": VOC.format(THING.format("")), "ImageSets/Main/train.txt": line + "\n"}
    code, said, data = convert("voc", files, "--split", "train")
    assert code == 0, said
    assert [image["file_name"] for image in data["images"]] == ["a.png"]


def test_via_with_semicolons(convert):
    options = ("--images", str(convert.folder))
    code, said, data = convert("via", {"v.csv": VIA}, *options, source="v.csv")
    assert code == 0, said
    assert data["annotations"][0]["bbox"] == [10, 10, 10, 8]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("classes.txt", "boat\n\nbuoy\n", "classes.txt, line 2: blank, so that the lines below"),
        ("data.yaml", "nc: 3\nnames: [boat, buoy]\n", "data.yaml: nc is 3, but 2 classes have"),
    ],
)
def test_names_whose_numbers_are_in_doubt(convert, name, text, message):
    code, said, _ = convert("yolo", {name: text, "a.txt": "1 .5 .5 .1 .1\n"})
    assert code == 2 and message in said


def test_blank_lines_below_the_names_say_nothing(convert):
    files = {"classes.txt": "boat\r\nbuoy\r\n\r\n \r\n", "a.txt": "1 .5 .5 .1 .1\n"}
    code, _, data = convert("yolo", files)
    assert code == 0 and [c["name"] for c in data["categories"]] == ["boat", "buoy"]


def region(**changes):
    value = dict(x=10, y=10, width=10, height=10, rectanglelabels=["boat"])
    size = dict(original_width=100, original_height=80)
    return dict(id="r", type="rectanglelabels", from_name="l", value=value, **size) | changes


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (
            dict(data=dict(left="a.png", right="b.png"), annotations=[dict(result=[region()])]),
            "several images in one task (left, right)",
        ),
        (dict(data=dict(image="a.png"), annotations=[]), "1 images that nobody has labelled"),
    ],
)
def test_label_studios_tasks_without_one_image_or_label(convert, task, message):
    options = ("--images", str(convert.folder))
    code, said, _ = convert("labelstudio", {"l.json": [task]}, *options, source="l.json")
    assert code == 2 and message in said


def test_a_label_that_is_true_is_no_class(convert):
    shape = dict(label=True, points=[[1, 1], [5, 5]], shape_type="rectangle")
    content = dict(shapes=[shape], imagePath="a.png", imageHeight=80, imageWidth=100)
    code, said, _ = convert("labelme", {"a.json": content})
    assert code == 2 and "a shape without a class (True)" in said


def test_frames_of_another_name_are_asked_for(convert):
    box = '<box frame="0" outside="0" xtl="1" ytl="1" xbr="5" ybr="5"/>'
    text = f'<annotations><version>1.1</version><track id="0" label="b">{box}</track></annotations>'
    options = ("--images", str(convert.folder))
    code, said, _ = convert("cvat", {"x.xml": text}, *options, source="x.xml")
    assert code == 2 and "or say how frames are called, as in --frames" in said


@pytest.mark.parametrize("what", ["coco-to-yolo", "coco-to-voc"])
def test_a_class_without_a_name_is_not_written_to_labels(tmp_path, capsys, what):
    (tmp_path / "gt.json").write_text(json.dumps(coco([{"bbox": [1, 2, 3, 4]}], kinds={1: " "})))
    words = [str(tmp_path / "gt.json"), "--output", str(tmp_path / "labels")]
    assert main(["convert", what, *words]) == 2
    assert "category 1 has no name" in capsys.readouterr().err
    assert not (tmp_path / "labels").exists()
