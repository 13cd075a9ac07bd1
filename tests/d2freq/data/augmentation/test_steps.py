"""Each augmentation by itself: boxes follow the pixels, nothing is lost without being counted."""

import numpy as np
import pytest

from d2freq.data.augmentation import (
    CopyPaste,
    Mosaic,
    RandomAngle,
    RandomObjectCrop,
    RandomRotation90,
)
from d2freq.data.augmentation.rotation import FILL, Rotate90Transform, RotateTransform
from d2freq.errors import UserError

from .augmentation_cases import painted, seen_box

# ruff: noqa: NPY002 - augmentations draw from the global generator

BOXES = [(3, 5, 12, 9), (30, 20, 33, 31), (1, 30, 4, 34)]


def no_partner():
    raise AssertionError("this one takes no other image")


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("masks", [False, True])
def test_right_angles_are_exact(turns, masks):
    sample = painted((36, 48), BOXES, masks=masks)
    tfm = Rotate90Transform(36, 48, turns)
    sample.transform(tfm)
    for k, each in enumerate(sample.objects):
        assert each.box.tolist() == seen_box(sample.image, 60 + 40 * k)
        assert each.visible == 1
        if masks:
            corners = each.mask[0]
            assert [*corners.min(0), *corners.max(0)] == each.box.tolist()
    sample.transform(tfm.inverse())
    assert np.array_equal(sample.image, painted((36, 48), BOXES).image)
    assert np.array_equal(sample.boxes, np.array(BOXES))


def test_four_directions_are_equally_likely():
    np.random.seed(0)
    tall = np.zeros((2, 3, 3), np.uint8)
    tall[0, 0] = 9
    found = [RandomRotation90().get_transform(tall).apply_image(tall) for _ in range(400)]
    corners = [tuple(np.argwhere(image[..., 0] == 9)[0]) for image in found]
    counts = [corners.count(place) for place in ((0, 0), (2, 0), (1, 2), (0, 1))]
    assert sum(counts) == 400 and min(counts) > 70


@pytest.mark.parametrize("angle", [-30.0, -7.5, 10.0, 45.0])
def test_small_angles_turn_pixels_points_and_masks_alike(angle):
    """Of a disc the box is known at any angle; of a rectangle with a mask, it is its corners'."""
    size, centre, radius = (80, 100), np.array([30.0, 50.0]), 9
    rows, columns = np.mgrid[:80, :100]
    disc = np.hypot(columns + 0.5 - centre[0], rows + 0.5 - centre[1]) < radius
    sample = painted(size, [(21, 41, 39, 59)])
    sample.image = np.repeat((disc * 250).astype(np.uint8)[..., None], 3, axis=2)
    tfm = RotateTransform(*size, angle)
    sample.transform(tfm)
    rows, columns = np.nonzero((sample.image[..., 0] > 125) & (sample.image[..., 0] != FILL))
    bright = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert np.abs(sample.objects[0].box - bright).max() <= 1
    centred = np.array([columns.mean(), rows.mean()]) + 0.5
    assert np.abs(tfm.apply_coords(centre[None])[0] - centred).max() < 0.2

    outlined = painted(size, [(40, 30, 60, 36)], masks=True)
    outlined.transform(tfm)
    corners = tfm.apply_coords(np.array([[40, 30], [60, 30], [60, 36], [40, 36]], np.float64))
    assert np.allclose(outlined.objects[0].box, [*corners.min(0), *corners.max(0)])


def test_an_angle_of_zero_changes_nothing():
    sample = painted((36, 48), BOXES, masks=True)
    sample.transform(RotateTransform(36, 48, 0.0))
    assert np.array_equal(sample.image, painted((36, 48), BOXES).image)
    assert np.allclose(sample.boxes, BOXES)


@pytest.mark.parametrize("masks", [False, True])
def test_a_mosaic_shows_four_images_at_their_scale(masks):
    np.random.seed(1)
    boxes = [(x, y, x + 4, y + 3) for x in range(2, 44, 8) for y in range(2, 32, 8)]
    boxes = boxes[:4]  # four colours in each image
    sample = painted((36, 48), boxes, masks=masks)
    drawn = []

    def partner():
        drawn.append(painted((36, 48), boxes, masks=masks))
        drawn[-1].image[drawn[-1].image > 0] += len(drawn)  # a tint of its own
        return drawn[-1]

    for _ in range(20):
        drawn.clear()
        sample = painted((36, 48), boxes, masks=masks)
        Mosaic(1.0)(sample, partner)
        assert sample.image.shape == (36, 48, 3) and len(drawn) == 3
        assert len(sample.objects) == 16
        kept, left_out = sample.seen(0.3)
        assert len(kept) + sum(left_out.values()) == 16
        for each in kept:
            x0, y0, x1, y1 = each.box.astype(int)
            inside = sample.image[y0:y1, x0:x1]
            assert (np.abs(inside.astype(int) - (60 + 40 * each.category)) <= 3).all()
            area = (x1 - x0) * (y1 - y0)
            assert each.visible == pytest.approx(area / 12)


def test_a_mosaic_of_smaller_images_lies_on_grey():
    np.random.seed(0)
    sample = painted((36, 48), BOXES)
    Mosaic(1.0, centre=(0.5, 0.5))(sample, lambda: painted((6, 8), [(1, 1, 3, 3)]))
    small = [each for each in sample.objects if each.visible == 1 and each.size == 2]
    assert len(small) == 3
    for each in small:
        x0, y0, x1, y1 = each.box.astype(int)
        assert (sample.image[y0:y1, x0:x1] == 60).all()
    assert (sample.image == FILL).all(-1).sum() == 3 * (18 * 24 - 48)


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("source", ["image", "dataset"])
def test_copies_are_whole_objects_at_free_places(masks, source):
    np.random.seed(0)
    donor = painted((60, 60), [(3, 5, 12, 9)], masks=masks)
    for _ in range(20):
        sample = painted((60, 60), [(3, 5, 12, 9), (30, 20, 50, 50)], masks=masks)
        before = sample.image.copy()
        CopyPaste(1.0, copies=4, max_size=16, source=source)(sample, lambda: donor)
        assert len(sample.objects) > 3
        boxes = sample.boxes
        for k, each in enumerate(sample.objects[2:], start=2):
            assert each.category == 0 and each.visible == 1
            x0, y0, x1, y1 = each.box.astype(int)
            assert (x1 - x0, y1 - y0) == (9, 4) and min(x0, y0) >= 0 and max(x1, y1) <= 60
            assert (sample.image[y0:y1, x0:x1] == 60).all()
            low, high = (
                np.maximum(boxes[:, :2], boxes[k, :2]),
                np.minimum(boxes[:, 2:], boxes[k, 2:]),
            )
            assert (high > low).all(1).sum() == 1, "it lies on another object"
            if masks:
                ring = each.mask[0]
                assert [*ring.min(0), *ring.max(0)] == [x0, y0, x1, y1]
        for x0, y0, x1, y1 in np.array([(3, 5, 12, 9), (30, 20, 50, 50)]):
            assert np.array_equal(sample.image[y0:y1, x0:x1], before[y0:y1, x0:x1])


def test_what_is_large_cut_or_a_crowd_is_not_copied():
    sample = painted((60, 60), [(3, 5, 12, 9), (30, 20, 50, 50)])
    CopyPaste(1.0, max_size=5)(sample, no_partner)
    assert len(sample.objects) == 2
    crowded = painted((60, 60), [])
    crowded.objects = [type(each)(each.box, each.category, crowd=True) for each in sample.objects]
    CopyPaste(1.0, max_size=500)(crowded, no_partner)
    assert len(crowded.objects) == 2


def test_a_full_image_takes_no_copy():
    sample = painted((20, 20), [(0, 0, 4, 4), (0, 4, 20, 20), (4, 0, 20, 4)])
    CopyPaste(1.0, max_size=5)(sample, no_partner)
    assert len(sample.objects) == 3


def test_crops_hold_a_whole_tiny_object():
    np.random.seed(0)
    boxes = [(3, 5, 12, 9), (60, 2, 95, 60)]
    tops = set()
    for _ in range(50):
        sample = painted((64, 100), boxes)
        RandomObjectCrop((20, 30), max_size=16)(sample)
        assert sample.size == (20, 30)
        assert sample.objects[0].visible == 1
        assert sample.objects[0].box.tolist() == seen_box(sample.image, 60)
        tops.add(sample.objects[0].box[1])
    assert len(tops) > 3, "the object is not always at one place"


def test_crops_without_a_tiny_object_are_random_and_fit_the_image():
    np.random.seed(0)
    for _ in range(20):
        sample = painted((64, 24), [(0, 2, 24, 60)])
        RandomObjectCrop((20, 30), max_size=16)(sample)
        assert sample.size == (20, 24)
    for _ in range(20):  # an object larger than the window: its centre is in the window
        sample = painted((64, 100), [(20, 20, 60, 50)])
        RandomObjectCrop((10, 10), max_size=99)(sample)
        assert (sample.image == 60).any()


def test_what_hardly_shows_is_counted_and_what_is_outside_too():
    from fvcore.transforms.transform import CropTransform

    sample = painted((36, 48), [(0, 0, 10, 10), (8, 8, 18, 18), (30, 30, 34, 34)])
    sample.transform(CropTransform(0, 0, 13, 13))
    kept, left_out = sample.seen(0.3)
    assert [each.category for each in kept] == [0]  # of the second 25 of 100 pixels are seen
    assert left_out == {"outside": 1, "hardly_visible": 1}
    kept, left_out = sample.seen(0.25)
    assert [each.box.tolist() for each in kept] == [[0, 0, 10, 10], [8, 8, 13, 13]]


def test_masks_say_how_much_is_seen():
    """Of the triangle in a box that is cut in the middle, a quarter is on the left."""
    from fvcore.transforms.transform import CropTransform

    sample = painted((20, 20), [(4, 4, 14, 14)], masks=True)
    triangle = np.array([[4, 14], [14, 14], [14, 4]], np.float64)
    sample.objects = [type(each)(each.box, 0, mask=[triangle]) for each in sample.objects]
    sample.transform(CropTransform(0, 0, 9, 20))
    (each,) = sample.objects
    assert each.visible == pytest.approx(0.25)
    assert each.box.tolist() == [4, 9, 9, 14]


def test_a_mask_elsewhere_than_its_box_goes_with_its_own_pixels():
    """The box is seen, the polygon is not: with masks there is nothing to train on."""
    from fvcore.transforms.transform import CropTransform

    sample = painted((36, 48), [(4, 4, 12, 12)])
    elsewhere = np.array([[30, 4], [38, 4], [38, 12]], np.float64)
    sample.objects = [type(each)(each.box, 0, mask=[elsewhere]) for each in sample.objects]
    sample.transform(CropTransform(0, 0, 20, 20))
    assert len(sample.seen(0.3)[0]) == 1
    assert sample.seen(0.3, with_mask=True) == ([], {"outside": 1, "hardly_visible": 0})


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: RandomRotation90(1.5), "probability"),
        (lambda: RandomAngle(90), "at most 45"),
        (lambda: Mosaic(0.5, centre=(0.7, 0.2)), "in order"),
        (lambda: CopyPaste(0.5, copies=0), "at least 1"),
        (lambda: CopyPaste(0.5, source="batch"), "image, dataset"),
        (lambda: RandomObjectCrop((0, 4)), "height and width"),
    ],
)
def test_bad_values_are_refused(build, said):
    with pytest.raises(UserError, match=said):
        build()
