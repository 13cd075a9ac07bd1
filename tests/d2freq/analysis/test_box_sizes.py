"""Sizes by the ranges of a protocol: counts by hand, and a picture of them."""

import json

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from d2freq.analysis.box_sizes import plot_sizes, range_name, read_sizes, size_table
from d2freq.cli import main
from d2freq.errors import UserError
from d2freq.evaluation.protocols import AreaRange, get_protocol

from ..coco_cases import coco

AITOD = get_protocol("aitod")


def data_of(boxes: list[dict]) -> dict:
    return coco(({"bbox": [1, 1, 4, 4]} | box for box in boxes), kinds={2: "person", 1: "ship"})


def rows(data: dict) -> dict[str, list[str]]:
    lines = size_table(read_sizes(data), AITOD).splitlines()
    return {line.split("  ")[0]: line.split()[1:] for line in lines}


def test_a_box_on_an_end_is_in_both_ranges():
    table = rows(data_of([{"bbox": [1, 1, 8, 8]}, {"bbox": [1, 1, 16, 16]}, {}]))
    # all, 0..8, 8..16, 16..32, from 32, ignored, mean
    assert table["ship"] == ["3", "2", "2", "1", "0", "0", "9.3"]
    assert table["person"] == ["0", "0", "0", "0", "0", "0", "-"]


def test_table_says_that_ranges_share_their_limits():
    lines = size_table(read_sizes(data_of([{"bbox": [1, 1, 8, 8]}])), AITOD).splitlines()
    assert "a box on a limit counts in both ranges" in lines[-1]
    assert [word for word in lines[-2].split() if word == "100.0"] == ["100.0"] * 3


def test_area_is_that_of_the_file_and_else_of_the_box():
    sizes = read_sizes(data_of([{"area": 9}, {"area": None}, {"category_id": 2}]))
    assert sizes.area.tolist() == [9, 16, 16]
    assert [sizes.names[label] for label in sizes.label] == ["ship", "ship", "person"]


def test_ignored_and_faulty_boxes_stand_apart():
    data = data_of([{"iscrowd": 1}, {"ignore": 1}, {"bbox": [1, 1, 0, 2]}, {"category_id": 7}, {}])
    sizes = read_sizes(data)
    assert (len(sizes.area), sizes.ignored.tolist(), sizes.left_out) == (1, [2, 0], 2)
    assert "2 annotations with a fault are not counted" in size_table(sizes, AITOD)


def test_counts_agree_with_a_loop():
    random = np.random.default_rng(0)
    areas = [float(v) for v in random.choice([4.0, 64.0, 100.0, 256.0, 1024.0, 5000.0], 200)]
    boxes = [{"bbox": [1, 1, a**0.5, a**0.5], "area": a} for a in areas]
    sizes = read_sizes(data_of([box | {"category_id": 1 + k % 2} for k, box in enumerate(boxes)]))
    counts = sizes.counts(AITOD.all_areas)
    for k in range(2):
        for r, area_range in enumerate(AITOD.all_areas):
            own = areas[k::2]
            assert counts[k, r] == sum(area_range.low <= area <= area_range.high for area in own)


def test_ranges_are_named_by_sides():
    assert [range_name(area) for area in AITOD.all_areas[:3]] == ["all", "vt 0..8 px", "t 8..16 px"]
    assert range_name(AreaRange("m", 1024, 1e10)) == "m from 32 px"


def test_picture_shows_every_class(tmp_path):
    """Each class has its colour in the picture."""
    random = np.random.default_rng(0)
    boxes = [
        {"area": float(np.exp(v)), "category_id": 1 + i % 2}
        for i, v in enumerate(random.normal(5, 1, 300))
    ]
    path = plot_sizes(read_sizes(data_of(boxes)), AITOD, tmp_path / "new" / "sizes.png")
    pixels = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    for colour in ([31, 119, 180], [255, 127, 14]):  # matplotlib's first two
        assert (np.abs(pixels.astype(int) - colour).sum(1) < 6).sum() > 500


@pytest.mark.parametrize("protocol", ["aitod", "tinyperson", "soda-d"])
@pytest.mark.parametrize("largest", [15, 33, 700])
def test_labels_and_legend_cover_nothing(tmp_path, monkeypatch, protocol, largest):
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda f, *a, **k: figures.append(f) or save(f, *a, **k))
    sizes = read_sizes(data_of([{"area": 9}, {"area": largest**2}]))
    plot_sizes(sizes, get_protocol(protocol), tmp_path / "sizes.png")
    strip, panel = figures[0].axes
    bars = [bar.get_window_extent() for bar in strip.patches]
    labels = [label.get_window_extent() for label in strip.texts]
    assert len(bars) == len(labels) > 0
    for bar, label in zip(bars, labels, strict=True):
        assert bar.x0 <= label.x0 and label.x1 <= bar.x1
        assert bar.y0 <= label.y0 and label.y1 <= bar.y1
    assert figures[0].legends[0].get_window_extent().x0 >= panel.get_window_extent().x1


def test_nothing_to_draw_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no annotation counts"):
        plot_sizes(read_sizes(data_of([])), AITOD, tmp_path / "sizes.png")


def test_command_prints_the_table_and_writes_the_picture(tmp_path, capsys):
    file, picture = tmp_path / "truth.json", tmp_path / "sizes.png"
    file.write_text(json.dumps(data_of([{"area": 16}, {"area": 16}])))
    assert main(["validate", str(file), "--histogram", str(picture)]) == 0
    out = capsys.readouterr().out
    assert "sizes by protocol aitod" in out and "100.0 %" in out
    assert picture.read_bytes().startswith(b"\x89PNG")
