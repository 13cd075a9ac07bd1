"""The adapter on the real supervision: colours, seams, batches."""

import numpy as np
import pytest

from d2freq.errors import UserError
from d2freq.inference import Detector

supervision = pytest.importorskip(
    "supervision", reason='needs supervision: pip install -e ".[supervision]"'
)

from d2freq.inference.adapters.supervision import slicer_callback  # noqa: E402

from .colour_engine import RED_AND_BLUE, ColourEngine, red_and_blue  # noqa: E402


def boxes_of(found) -> list:
    corners = found.xyxy.astype(int).tolist()
    return sorted(zip(found.data["class_name"].tolist(), *zip(*corners, strict=True), strict=True))


@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize("batch", [1, 4])
def test_the_slicer_finds_each_colour_once(order, batch):
    find = slicer_callback(Detector(ColourEngine()), channel_order=order)
    pixels = red_and_blue() if order == "RGB" else np.ascontiguousarray(red_and_blue()[:, :, ::-1])
    slicer = supervision.InferenceSlicer(
        find, slice_wh=64, overlap_wh=20, iou_threshold=0.5, batch_size=batch
    )
    found = slicer(pixels)
    assert boxes_of(found) == RED_AND_BLUE
    assert np.allclose(found.confidence, 0.9)


def test_the_wrong_order_takes_red_for_blue():
    """So that the test above tells something."""
    find = slicer_callback(Detector(ColourEngine()), channel_order="BGR")
    names = {RED_AND_BLUE[0][0]: "red", RED_AND_BLUE[1][0]: "blue"}
    wrong = sorted((names[name], *corners) for name, *corners in RED_AND_BLUE)
    assert boxes_of(find(red_and_blue())) == wrong


def test_scores_and_classes_are_chosen():
    detector = Detector(ColourEngine())
    only_red = slicer_callback(detector, channel_order="RGB", classes=["red"])
    assert boxes_of(only_red(red_and_blue())) == RED_AND_BLUE[1:]
    none = slicer_callback(detector, channel_order="RGB", score=0.95)
    assert len(none(red_and_blue())) == 0
    with pytest.raises(UserError, match="channel_order"):
        slicer_callback(detector, channel_order="rgb")
    with pytest.raises(UserError, match="knows no 'green'"):
        slicer_callback(detector, channel_order="RGB", classes=["green"])


def test_a_real_model_gives_what_the_detector_gives(run_folder):
    detector = Detector.load(run_folder)
    pixels = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    ours = detector(pixels, tile="none", score=0.01)
    theirs = slicer_callback(detector, channel_order="RGB", score=0.01)(pixels)
    assert len(ours) > 0 and np.allclose(theirs.xyxy, ours.boxes, atol=1e-3)
    assert theirs.data["class_name"].tolist() == ours.labels
