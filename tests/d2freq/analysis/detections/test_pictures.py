"""Matching and drawing of detections, and the loss curve."""

import json
import math

import numpy as np
import pytest
from PIL import Image

from d2freq.analysis.detections.hits import Found, Objects, match
from d2freq.analysis.detections.pictures import draw_matches
from d2freq.utils.drawing import ALARM, HIT, MISSED
from d2freq.analysis.loss_curve import plot_losses, read_metrics
from d2freq.errors import UserError

SHIP, PERSON = 0, 1


def detections(corners, classes, scores, masks=None):
    return Found(xywh(corners), np.array(classes), np.array(scores), masks)


def objects(corners, classes, crowd=None):
    crowd = np.zeros(len(classes), bool) if crowd is None else np.array(crowd)
    return Objects(xywh(corners), np.array(classes), crowd)


def xywh(corners):
    boxes = np.array(corners, float).reshape(-1, 4)
    return np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])


def matched(boxes, classes, scores, gt_boxes, gt_classes, gt_crowd=None):
    return match(detections(boxes, classes, scores), objects(gt_boxes, gt_classes, gt_crowd))


def test_best_score_takes_the_object_and_a_second_detection_is_false():
    boxes = [[0, 0, 10, 9], [0, 0, 10, 10], [50, 50, 60, 60]]
    result = matched(
        boxes, [SHIP] * 3, [0.5, 0.9, 0.4], [[0, 0, 10, 10], [30, 0, 40, 9]], [SHIP] * 2
    )
    assert result.hit.tolist() == [False, True, False]
    assert result.found.tolist() == [True, False]


def test_other_class_is_no_hit_and_a_crowd_excuses():
    result = matched([[0, 0, 10, 10]], [PERSON], [0.9], [[0, 0, 10, 10]], [SHIP])
    assert not result.hit.any() and not result.found.any()
    result = matched([[2, 2, 6, 6]], [SHIP], [0.9], [[0, 0, 40, 40]], [SHIP], [True])
    assert result.excused.all() and not result.hit.any()


def test_picture_shows_hit_false_positive_and_miss_in_their_colours():
    image = np.full((64, 64, 3), 128, np.uint8)
    picture = draw_matches(
        image,
        detections([[8, 8, 12, 12], [40, 40, 44, 44]], [SHIP, SHIP], [0.9, 0.8]),
        objects([[8, 8, 12, 12], [8, 40, 12, 44]], [SHIP, SHIP]),
    )
    zoom = 4
    assert picture.shape[1] == 64 * zoom and picture.shape[0] > 64 * zoom  # a legend below
    for (x, y), colour in {(8, 8): HIT, (40, 40): ALARM, (8, 40): MISSED}.items():
        edge = picture[y * zoom - 4 : y * zoom + 20, x * zoom - 4 : x * zoom + 20].reshape(-1, 3)
        assert (edge == colour).all(1).sum() > 40
    assert (picture[8 * zoom + 4, 8 * zoom + 4] == 128).all()  # the object itself stays visible


def test_boxes_have_their_class_and_score_beside_them():
    image = np.full((64, 64, 3), 128, np.uint8)
    found = detections([[20, 30, 26, 34]], [SHIP], [0.87])
    truth = objects([[20, 30, 26, 34], [20, 50, 26, 54]], [SHIP, SHIP])
    plain, named = (draw_matches(image, found, truth, names=n) for n in ((), ("ship", "person")))
    for y in (30, 50):  # the hit, with a score; the miss has a name alone
        above = slice(4 * y - 18, 4 * y - 3), slice(70, 160)
        assert (named[above] != plain[above]).any()
        assert (named[4 * y : 4 * y + 16, 80:104] == plain[4 * y : 4 * y + 16, 80:104]).all()


def test_a_mask_has_an_outline_in_the_colour_of_its_box():
    image, masks = np.full((64, 64, 3), 128, np.uint8), np.zeros((2, 64, 64), bool)
    masks[0, 10:30, 10:30] = True
    masks[0, 16:24, 16:24] = False  # a hole
    masks[1, 50:52, 50:52] = True
    picture = draw_matches(
        image,
        detections([[10, 10, 30, 30], [50, 50, 52, 52]], [SHIP, PERSON], [0.9, 0.8], masks),
        objects([[10, 10, 30, 30]], [SHIP]),
    )
    coloured = [(picture[:256] == colour).all(2) for colour in (HIT, ALARM)]
    outlines = [coloured[0][40:120, 40:120], coloured[1][200:208, 200:208]]
    assert outlines[0][[0, 0, -1, -1], [0, -1, 0, -1]].all()  # the corners of the mask
    assert outlines[0][24:56, 23].all() and not outlines[0][30:50, 30:50].any()  # beside the hole
    assert outlines[1].sum() == 4 * 7  # four times enlarged, one pixel wide
    assert not (coloured[0] & coloured[1]).any()


def write_metrics(path, records, tail=""):
    path.write_text("".join(json.dumps(record) + "\n" for record in records) + tail)
    return path


def test_loss_curve_is_written_with_and_without_ap(tmp_path):
    records = [
        {"iteration": i, "total_loss": 3 / (i + 1), "loss_cls": 1 / (i + 1)} for i in range(9)
    ]
    plain = plot_losses(write_metrics(tmp_path / "a.json", records), tmp_path / "sub" / "a.png")
    records += [{"iteration": 9, "bbox/AP": 31.0, "bbox/APvt": math.nan, "bbox/AP-ship": 3.0}]
    with_ap = plot_losses(write_metrics(tmp_path / "b.json", records), tmp_path / "b.png")
    sizes = [Image.open(path).size for path in (plain, with_ap)]
    assert sizes[1][0] > 1.4 * sizes[0][0]


def test_scores_that_were_measured_once_are_bars_and_several_are_lines(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "d2freq.analysis.loss_curve.save_figure", lambda *given, how: drawn.append((given[0], how))
    )
    records = [{"iteration": i, "total_loss": 1.0, "bbox/AP": 10.0 + i} for i in (5, 9)]
    records[1]["bbox/AP50"] = 40.0
    plot_losses(write_metrics(tmp_path / "many.json", records), tmp_path / "many.png")
    plot_losses(write_metrics(tmp_path / "one.json", records[1:]), tmp_path / "one.png")
    (lines, _), (bars, how) = drawn
    assert [line.get_label() for line in lines.axes[1].get_lines()] == ["AP", "AP50"]
    panel = bars.axes[1]
    assert [bar.get_width() for bar in panel.patches] == [19.0, 40.0]
    assert [text.get_text() for text in panel.get_yticklabels()] == ["AP", "AP50"]
    assert {text.get_text() for text in panel.texts} == {"19.0", "40.0"}
    assert "at iteration 9" in panel.get_title() and "mean over overlaps" in how


def test_a_loss_of_one_iteration_is_seen(tmp_path):
    path = plot_losses(
        write_metrics(tmp_path / "m.json", [{"iteration": 0, "total_loss": 2.0, "loss_cls": 1.0}]),
        tmp_path / "m.png",
    )
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    height, width = pixels.shape[:2]
    inner = pixels[height // 5 : -height // 5, width // 3 : -width // 3]  # no axis, no legend
    assert (np.ptp(inner, axis=2) > 60).sum() > 10  # a dot of the second loss, half way up


def test_metrics_of_a_resumed_and_interrupted_run(tmp_path):
    records = [{"iteration": 1, "total_loss": 5.0}, {"iteration": 2, "total_loss": 9.0}]
    records += [{"iteration": 2, "total_loss": 4.0}]
    series = read_metrics(write_metrics(tmp_path / "m.json", records, tail='{"iteration": 3, "tot'))
    assert series == {"total_loss": ([1, 2], [5.0, 4.0])}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no metrics"),
        ('{"iter\n{"iteration": 1}\n', "line 1"),
        ('{"iteration": 1, "lr": 2}', "loss"),
    ],
)
def test_metrics_without_losses_are_refused(tmp_path, text, message):
    path = tmp_path / "m.json"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        plot_losses(path, tmp_path / "m.png")
