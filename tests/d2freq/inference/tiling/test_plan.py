"""Which tiles are chosen, and that the reason is said."""

import pytest

from d2freq.engine.training_data import TrainingData
from d2freq.errors import UserError
from d2freq.inference.engines.engine import ModelAbout
from d2freq.inference.tiling import choose_tiles

AS_IS = ModelAbout()
RESIZED = ModelAbout(short_side=800, longest_side=1333, train_size=(800, 1333))


def data(width: int, height: int, largest: float = 0.0) -> TrainingData:
    return TrainingData(("ship",), (width, height), 100 if largest else 0, (largest / 2, largest))


@pytest.mark.parametrize(
    ("about", "trained_on", "side", "reason"),
    [
        # COCO at 800: pictures of 640 x 480 were enlarged by 1.67, and so is a tile of 512
        (RESIZED, data(640, 480), 512, "training resized pictures of 640 x 480 by 1.67"),
        # AI-TOD at 800: as large as it is
        (RESIZED, data(800, 800), 800, "by 1.00"),
        # photographs of 4000 x 3000 were made smaller, so a tile may be large
        (RESIZED, data(4000, 3000), 1280, "by 0.27"),
        # long pictures were held back by the longest side
        (RESIZED, data(2000, 1000), 1200, "by 0.67"),
        (RESIZED, None, 800, "testing resizes pictures to 800 px"),
        (ModelAbout(crop=(192, 192)), data(256, 256), 512, "crops of 192 x 192, but not below"),
        (ModelAbout(crop=(1024, 1024)), None, 1024, "trained on crops of 1024 x 1024,"),
        # own data on enlarged windows: 256 to 512 in training, pictures to twice their sides
        (
            ModelAbout(short_side=1764, train_size=(512, 0), crop=(256, 256), crop_first=True),
            data(882, 882),
            882,
            "training resized crops of 256 x 256 by 2.00",
        ),
        # windows that training leaves as they are, and a testing that resizes
        (
            ModelAbout(short_side=600, crop=(128, 128), crop_first=True),
            data(882, 882),
            600,
            "by 1.00, and testing resizes a tile to 600 px",
        ),
        # a window out of the resized picture leaves the scale to the picture's resize
        (
            ModelAbout(short_side=800, train_size=(800, 1333), crop=(512, 512)),
            data(640, 480),
            512,
            "pictures of 640 x 480 by 1.67",
        ),
        (AS_IS, data(1000, 700), 1000, "trained on pictures of 1000 x 700,"),
        (AS_IS, data(4000, 3000), 1280, "but not above 1280"),
        (AS_IS, None, 640, "nobody says"),
    ],
)
def test_auto_goes_by_what_training_saw(about, trained_on, side, reason):
    plan = choose_tiles("auto", about=about, data=trained_on)
    assert plan.tile == (side, side) and reason.rstrip(",") in plan.reason
    assert f"tiles of {side} x {side} px" in plan.reason


def test_tiles_keep_the_size_that_objects_had_in_training():
    """800 / 480 for COCO's pictures; a tile of 480 would do the same, 512 comes close."""
    plan = choose_tiles("auto", about=RESIZED, data=data(640, 480))
    assert RESIZED.short_side / plan.tile[0] == pytest.approx(800 / 480, rel=0.07)


@pytest.mark.parametrize(
    ("largest", "overlap"), [(5, 32), (20, 40), (28, 48), (100, 120), (700, 256)]
)
def test_the_overlap_holds_the_largest_objects_and_what_is_around_them(largest, overlap):
    about = ModelAbout(crop=(512, 512))
    plan = choose_tiles("auto", about=about, data=data(512, 512, largest))
    assert plan.overlap == (overlap, overlap)
    assert f"at most {largest} px long" in plan.reason
    assert overlap >= min(largest + 16, 256)


def test_the_overlap_of_those_to_be_found_goes_before_that_of_training():
    plan = choose_tiles(about=AS_IS, data=data(600, 600, 20), objects=(10.0, 60.0))
    assert plan.overlap == (80, 80) and "60 px" in plan.reason


def test_without_sizes_a_fifth_overlaps():
    plan = choose_tiles((640, 500), about=AS_IS)
    assert plan.overlap == (128, 100) and "128 and 100 px (a fifth" in plan.reason


@pytest.mark.parametrize(("given", "overlap"), [(0, 0), (0.25, 160), (1, 1), (96, 96)])
def test_an_overlap_is_a_share_or_pixels(given, overlap):
    plan = choose_tiles((640, 640), given, about=AS_IS, data=data(600, 600, 20))
    assert plan.overlap == (overlap, overlap) and "as asked for" in plan.reason


def test_windows_of_a_plan():
    plan = choose_tiles((100, 80), 20, about=AS_IS)
    assert [(w.x, w.y) for w in plan.windows((180, 80))] == [(0, 0), (80, 0)]
    assert len(plan.windows((100, 80))) == 1
    whole = choose_tiles("none", about=AS_IS)
    assert len(whole.windows((9000, 9000))) == 1 and "as a whole" in whole.reason


@pytest.mark.parametrize(
    ("tile", "overlap", "message"),
    [
        ("big", None, "--tile big: auto, none, or a width and a height"),
        ((0, 64), None, "at least one pixel"),
        ((64, 64), 64, "below 64"),
        ((64, 64), -1, "--overlap -1"),
        (640, None, "tile 640: a width and a height"),
        ((64,), None, "a width and a height"),
    ],
)
def test_bad_words_are_refused(tile, overlap, message):
    with pytest.raises(UserError, match=message):
        choose_tiles(tile, overlap, about=AS_IS)
