"""``d2freq validate --images``: each fault of an image file is reported by name and count."""

import json

import numpy as np
import pytest
from PIL import Image, ImageOps

from d2freq.cli import main
from d2freq.data.coco import faults_of_images
from d2freq.utils.pixels import look_at


@pytest.fixture
def validate(two_images, capsys):
    """A function that lets a plant loose on folder and data; returns exit code and lines."""
    folder, data = two_images

    def run(plant, depth: str) -> tuple[int, list[str]]:
        plant(folder, data)
        file = folder / "truth.json"
        file.write_text(json.dumps(data))
        code = main(["validate", str(file), "--images", str(folder), "--depth", depth])
        lines = capsys.readouterr().out.splitlines()
        return code, [line for line in lines if line.startswith(("error: ", "repair: ", "note: "))]

    return run


def cut_off(folder, data):
    path = folder / "b.png"
    path.write_bytes(path.read_bytes()[:-200])


def instead(image: Image.Image, name: str = "b.png", **options):
    """Save another image for the second one."""

    def plant(folder, data):
        (folder / "b.png").unlink()
        image.save(folder / name, **options)
        data["images"][1]["file_name"] = name

    return plant


def turned(width: int, height: int):
    exif = Image.Exif()
    exif[0x0112] = 6
    return instead(Image.new("RGB", (width, height)), "b.jpg", exif=exif)


def rename(name: str):
    def plant(folder, data):
        target = folder / name
        target.parent.mkdir(exist_ok=True)
        (folder / "b.png").rename(target)
        data["images"][1]["file_name"] = name

    return plant


def absolute(folder, data):
    data["images"][1]["file_name"] = str(folder / "b.png")


def leave(folder, data):
    data["images"][1]["file_name"] = f"../{folder.name}/b.png"


DEEP = Image.fromarray(np.full((30, 40), 9000, np.uint16))
SIZE, EXIST, DECODE = "size", "exist", "decode"
# name: depth that finds it, severity, plant, kind and count, a word of the line
CASES = {
    "missing": (EXIST, "error", lambda f, d: (f / "b.png").unlink(), "missing image (1)", "b.png"),
    "zero bytes": (
        SIZE,
        "error",
        lambda f, d: (f / "b.png").write_bytes(b""),
        "empty image file (1)",
        "b.png: 0 bytes",
    ),
    "no image": (
        SIZE,
        "error",
        lambda f, d: (f / "b.png").write_text("not found"),
        "unreadable image (1)",
        "cannot identify",
    ),
    "cut off": (DECODE, "error", cut_off, "truncated image (1)", "b.png"),
    "other size": (
        SIZE,
        "error",
        lambda f, d: d["images"][1].update(width=99),
        "image of another size (1)",
        "is 40 x 30, the file says 99 x 30",
    ),
    "turned": (SIZE, "note", turned(30, 40), "image turned by EXIF (1)", "turns it upright"),
    "16 bit": (
        DECODE,
        "note",
        instead(DEEP),
        "image of more bits or bands than 8-bit RGB (1)",
        "INPUT.PIXELS.RANGE",
    ),
    "CMYK": (
        DECODE,
        "note",
        instead(Image.new("CMYK", (40, 30)), "b.jpg"),
        "CMYK image (1)",
        "b.jpg",
    ),
    "unknown to the file": (
        EXIST,
        "note",
        lambda f, d: (f / "c.PNG").write_bytes(b""),
        "image that is not in the file (1)",
        "c.PNG",
    ),
    "absolute": (EXIST, "note", absolute, "absolute file name (1)", "b.png"),
    "two dots": (EXIST, "note", leave, "file name with '..' (1)", "leaves the folder"),
    "umlaut": (EXIST, "note", rename("bär.png"), "file name that is not ASCII (1)", "bär.png"),
}


@pytest.mark.parametrize("case", CASES)
def test_planted_fault_is_reported(validate, case):
    depth, severity, plant, kind, hint = CASES[case]
    code, (line,) = validate(plant, depth)
    assert code == (0 if severity == "note" else 2)
    assert line.startswith(f"{severity}: {kind}: ") and hint in line


@pytest.mark.parametrize("case", [name for name, c in CASES.items() if c[0] == DECODE])
def test_a_lesser_depth_reads_no_pixels(validate, case):
    _, severity, plant, *_ = CASES[case]
    assert validate(plant, EXIST) == (0, [])


def test_a_turned_image_of_another_size_is_measured_upright(validate):
    code, lines = validate(turned(40, 30), SIZE)
    assert code == 2
    assert "is 30 x 40 once turned upright, the file says 40 x 30" in lines[0]


def test_images_in_folders_are_found(validate):
    assert validate(rename("deep/b.png"), DECODE) == (0, [])


@pytest.mark.parametrize("kind", ["png", "jpg", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_is_that_of_the_reader(tmp_path, kind, orientation):
    """As detectron2's read_image sees it; a TIFF, which it may turn twice, as it stands upright."""
    from detectron2.data.detection_utils import read_image

    exif = Image.Exif()
    exif[0x0112] = orientation
    path = str(tmp_path / f"a.{kind}")
    Image.new("RGB", (16, 9)).save(path, exif=exif)
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).size
    if kind != "tif":
        assert read_image(path, "BGR").shape[1::-1] == upright
    for decode in (False, True):
        look = look_at(path, decode)
        assert (look.size, look.turned) == (upright, orientation > 1)


def test_several_processes_find_the_same(two_images, monkeypatch):
    from d2freq.data.coco.report import Report

    folder, data = two_images
    names = []
    for number in range(40):
        names.append(f"{number}.png")
        whole = (folder / "a.png").read_bytes()
        (folder / names[-1]).write_bytes(whole[: len(whole) * (80 - number) // 60])
    records = [dict(file_name=name, width=40, height=30) for name in names]
    found = []
    for workers in (1, 2):
        report = Report("x")
        faults_of_images.find_image_faults(report, records, str(folder), "decode", workers=workers)
        found.append(report)
    assert found[0].errors and found[0] == found[1]


def test_an_image_over_the_readers_limit_is_told_from_a_broken_one(validate, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 599)  # Pillow refuses twice that: 40 x 30 it is
    code, (line,) = validate(lambda folder, data: None, DECODE)
    assert code == 2
    assert line.startswith("error: image too large to load (2): ") and "convert tiles" in line
    assert "b.png is 40 x 30" in line
