"""DOTAmini10: ten classes, two scales, right copies of rare ones, counts beside the paper."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from d2freq.cli import main
from d2freq.data import check_coco
from d2freq.data.builtin import DOTAMINI10
from d2freq.data.convert.dotamini10 import PAPER, compare, convert_dotamini10, select
from d2freq.data.convert.dotamini10_copies import flip, rare_copies, shift_hsv
from d2freq.errors import UserError

COLOURS = {"helicopter": (250, 60, 60), "ship": (60, 250, 60), "bridge": (60, 60, 250)}
HELICOPTER = DOTAMINI10.index("helicopter") + 1


@pytest.fixture
def split(tmp_path) -> Path:
    """One image with a helicopter far from ships, one with ships alone, one with a bridge alone."""
    objects = {
        "P1": [("helicopter", 200, 100, 24, 16), ("ship", 1500, 900, 30, 12)],
        "P2": [("ship", 40, 50, 20, 20), ("ship", 40, 50, 20, 20), ("ship", 9, 9, 0.5, 8)],
        "P3": [("bridge", 100, 100, 60, 20)],
    }
    root = tmp_path / "train"
    for folder in ("images", "labelTxt"):
        (root / folder).mkdir(parents=True)
    for name, things in objects.items():
        pixels = np.full((1200, 1700, 3), 20, np.uint8)
        lines = []
        for kind, x, y, w, h in things:
            pixels[y : y + int(h), x : x + int(w)] = COLOURS[kind]
            lines.append(f"{x} {y} {x + w} {y} {x + w} {y + h} {x} {y + h} {kind} 0")
        Image.fromarray(pixels).save(root / "images" / f"{name}.png")
        (root / "labelTxt" / f"{name}.txt").write_text("\n".join(lines))
    return root


def convert(split: Path, output: Path, **options) -> dict:
    file = convert_dotamini10(
        split, output, **{"split": "train", "progress": False, "workers": 1} | options
    )
    return json.loads(file.read_text())


def test_paper_counts_add_up():
    """HS-FPN, A.3: the classes of Table 7 sum to its totals."""
    assert sum(PAPER["train"]) == 328_086 and sum(PAPER["val"]) == 82_219
    assert sum(map(sum, PAPER.values())) == 410_305 and len(PAPER["train"]) == len(DOTAMINI10)


def test_ten_classes_at_two_scales_with_copies_of_rare_ones(split, tmp_path):
    data = convert(split, tmp_path / "out", copies=2)
    assert [c["name"] for c in data["categories"]] == list(DOTAMINI10)
    assert check_coco(tmp_path / "out/annotations.json", tmp_path / "out/images").ok
    assert data["info"]["notes"] == {
        "objects of other classes left out": 1,
        "objects narrower than 1 px left out": 1,
        "objects given twice left out": 1,
    }
    places = {
        (i["tile"]["scale"], i["tile"]["x"], i["tile"]["y"]) for i in data["images"] if "tile" in i
    }
    assert places == {(0.5, 0, 0), (1.0, 0, 0), (1.0, 676, 0), (1.0, 676, 176)}
    copies = [image for image in data["images"] if "copy" in image]
    helicopter_tiles = [
        i
        for i in data["images"]
        if "tile" in i
        and i["id"]
        in {a["image_id"] for a in data["annotations"] if a["category_id"] == HELICOPTER}
    ]
    assert len(helicopter_tiles) == 2 and len(copies) == 4
    assert {c["copy"]["file_name"] for c in copies} == {t["file_name"] for t in helicopter_tiles}
    counts = data["info"]["counts"]
    assert counts["copies"] == 4 and counts["tiles"] == len(data["images"]) - 4
    assert counts["without_objects_left_out"] > 0 and counts["only_ignored"] == 0


def test_boxes_of_copies_lie_on_their_objects(split, tmp_path):
    data = convert(split, tmp_path / "out", copies=6)
    turns = set()
    for image in data["images"]:
        pixels = np.array(Image.open(tmp_path / "out/images" / image["file_name"])).astype(int)
        bright = pixels.max(-1) > 90
        covered = np.zeros_like(bright)
        for annotation in data["annotations"]:
            if annotation["image_id"] == image["id"]:
                x, y, w, h = (round(v) for v in annotation["bbox"])
                assert bright[y : y + h, x : x + w].all()
                covered[y : y + h, x : x + w] = True
                corners = np.reshape(annotation["segmentation"], (-1, 2))
                np.testing.assert_allclose(corners.min(0), annotation["bbox"][:2])
        assert (bright == covered).all()
        if "copy" in image:
            turns.add((image["copy"]["flipped_across"], image["copy"]["flipped_down"]))
    assert len(turns) >= 3


def test_the_same_seed_gives_the_same_bytes(split, tmp_path):
    for number in range(6):  # enough for two processes
        Image.new("RGB", (90, 90), (9, 9, number)).save(split / f"images/Q{number}.png")
        text = "5 5 25 5 25 20 5 20 helicopter 0"
        (split / f"labelTxt/Q{number}.txt").write_text(text)

    def content(name, **options):
        convert(split, tmp_path / name, **options)
        files = (path for path in (tmp_path / name).rglob("*") if path.is_file())
        return {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in files}

    one = content("one", seed=3)
    assert one == content("two", seed=3, workers=2)
    other = content("other", seed=4)
    assert one.keys() == other.keys()
    different = {name for name in one if one[name] != other[name]}
    assert {name for name in different if name.endswith(".png")} == {n for n in one if "copy" in n}


def test_val_has_no_copies_and_counts_stand_beside_the_papers(split, tmp_path, capsys):
    words = ["convert", "dotamini10", str(split), "--output", str(tmp_path / "val")]
    assert main([*words, "--split", "val", "--workers", "1"]) == 0
    text = capsys.readouterr().out
    data = json.loads((tmp_path / "val/annotations.json").read_text())
    assert not any("copy" in image for image in data["images"])
    lines = {line.split("  ")[0]: line.split() for line in text.splitlines()}
    ships = sum(a["category_id"] == DOTAMINI10.index("ship") + 1 for a in data["annotations"])
    assert lines["ship"][1:4] == [str(ships), "35,376", f"{ships - 35376:+d}"]
    assert lines["all boxes"][3] == "82,219" and lines["images"][2] == "2,733"
    assert "all boxes" in compare(tmp_path / "val/annotations.json", "val")


def test_selection_keeps_the_records_and_renumbers_the_classes():
    categories = [dict(id=1, name="bridge"), dict(id=2, name="helicopter")]
    annotations = [dict(id=7, image_id=1, category_id=2, bbox=[0, 0, 9, 9], difficult=1)]
    chosen, left_out = select(dict(images=[], annotations=annotations, categories=categories))
    assert chosen["annotations"] == [{**annotations[0], "category_id": HELICOPTER}] and not left_out


def test_flips_move_boxes_and_polygons_with_the_pixels():
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[5:9, 10:22] = 255
    record = dict(bbox=[10, 5, 12, 4], segmentation=[[10, 5, 22, 5, 22, 9, 10, 9]], id=3)
    for across, down in ((True, False), (False, True), (True, True), (False, False)):
        flipped, (moved,) = flip(pixels, [record], across=across, down=down)
        x, y, w, h = moved["bbox"]
        assert (w, h) == (12, 4) and (flipped[y : y + 4, x : x + 12] == 255).all()
        corners = np.reshape(moved["segmentation"], (-1, 2))
        assert [*corners.min(0), *corners.max(0)] == [x, y, x + 12, y + 4]
    assert record["bbox"] == [10, 5, 12, 4]


def test_colours_turn_by_the_hue():
    red = np.full((2, 2, 3), (200, 0, 0), np.uint8)
    assert shift_hsv(red, hue=120, saturation=1, value=1)[0, 0].tolist() == [0, 200, 0]
    assert shift_hsv(red, hue=-120, saturation=1, value=1)[0, 0].tolist() == [0, 0, 200]
    assert shift_hsv(red, hue=0, saturation=0, value=0.5)[0, 0].tolist() == [100, 100, 100]
    noise = np.random.default_rng(0).integers(0, 256, (30, 30, 3), dtype=np.uint8)
    assert np.abs(shift_hsv(noise, hue=0, saturation=1, value=1).astype(int) - noise).max() <= 1


def test_ignored_rare_objects_make_no_copies():
    record = dict(file_name="a.png", tile=dict(image_id=1, scale=1.0, x=0, y=0))
    objects = [dict(category_id=HELICOPTER, iscrowd=1, bbox=[0, 0, 1, 1])]
    pixels = np.zeros((4, 4, 3), np.uint8)
    assert not list(rare_copies(pixels, record, objects, categories=(HELICOPTER,), count=3, seed=0))


@pytest.mark.parametrize(
    ("options", "message"), [({"split": "test"}, "train, val"), ({"copies": -1}, "from 0 on")]
)
def test_unknown_choices_are_refused(split, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        convert_dotamini10(split, tmp_path / "out", **{"split": "train"} | options)
