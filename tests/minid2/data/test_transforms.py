"""Augmentations: what they promise, whatever chance says."""

import numpy as np
import pytest
import torch
from PIL import Image

from minid2.data import transforms as T
from minid2.data.detection_utils import convert_image_to_rgb

# ruff: noqa: NPY002 - augmentations draw from numpy's global generator


@pytest.fixture
def image():
    np.random.seed(0)
    return np.random.randint(0, 256, (40, 60, 3)).astype(np.uint8)


def marked(height, width, box):
    """A black image with a white box."""
    image = np.zeros((height, width, 3), np.uint8)
    x0, y0, x1, y1 = box
    image[y0:y1, x0:x1] = 255
    return image


@pytest.mark.parametrize(
    "aug",
    [
        T.RandomFlip(1.0),
        T.RandomFlip(1.0, horizontal=False, vertical=True),
        T.ResizeShortestEdge([80, 80]),
        T.Resize((80, 30)),
        T.RandomCrop("absolute", (35, 58)),
        T.AugmentationList([T.RandomFlip(1.0), T.Resize((80, 120)), T.PadTransform(2, 3, 4, 5)]),
    ],
    ids=repr,
)
def test_boxes_follow_the_pixels(aug):
    """The white pixels lie where the transformed box says."""
    np.random.seed(1)
    held = T.AugInput(marked(40, 60, (14, 10, 26, 22)), boxes=np.array([[14.0, 10, 26, 22]]))
    T.AugmentationList([aug])(held)
    white = np.argwhere(held.image[..., 0] > 130)
    found = [white[:, 1].min(), white[:, 0].min(), white[:, 1].max() + 1, white[:, 0].max() + 1]
    assert np.abs(held.boxes[0] - found).max() <= 1


@pytest.mark.parametrize(
    "before, length, limit, after",
    [
        ((40, 60), 20, 1000, (20, 30)),
        ((60, 40), 20, 1000, (30, 20)),
        ((40, 60), 100, 90, (60, 90)),  # the longer side decides
        ((427, 640), 800, 1333, (800, 1199)),
    ],
)
def test_the_shortest_edge_rule(before, length, limit, after):
    assert T.ResizeShortestEdge.get_output_shape(*before, length, limit) == after


@pytest.mark.parametrize(
    "kind, size, low, high",
    [
        ("relative", (0.5, 0.25), (20, 15), (20, 15)),
        ("relative_range", (0.5, 0.25), (20, 15), (40, 60)),
        ("absolute", (100, 30), (40, 30), (40, 30)),
        ("absolute_range", (10, 50), (10, 10), (40, 50)),
    ],
)
def test_crop_sizes_stay_in_range(kind, size, low, high):
    crop = T.RandomCrop(kind, size)
    sizes = np.array([crop.get_crop_size((40, 60)) for _ in range(200)])
    assert (sizes >= low).all() and (sizes <= high).all()
    assert (sizes.min(0) - low).max() <= 3 and (np.array(high) - sizes.max(0)).max() <= 3
    assert T.RandomCrop("relative", (0.2, 0.2)).get_crop_size((1, 1)) == (1, 1)


def test_bytes_are_resized_by_pillow_and_grey_keeps_its_axis(image):
    tfm = T.ResizeTransform(40, 60, 17, 90, Image.BICUBIC)
    expected = np.asarray(Image.fromarray(image).resize((90, 17), Image.BICUBIC))
    assert np.array_equal(tfm.apply_image(image), expected)
    assert tfm.apply_image(image[..., :1]).shape == (17, 90, 1)
    with pytest.raises(AssertionError, match=r"made for 40x60, got \(39, 60, 3\)"):
        tfm.apply_image(image[1:])


def test_colour_at_intensity_one_changes_nothing(image):
    for aug in (T.RandomBrightness, T.RandomContrast, T.RandomSaturation):
        held = T.AugInput(image.copy())
        aug(1.0, 1.0)(held)
        assert np.array_equal(held.image, image)
    dark = T.RandomBrightness(0.5, 0.5).get_transform(image).apply_image(image)
    assert np.abs(dark - image / 2.0).max() <= 0.5


def test_probability_decides(image):
    for prob, kind in ((0.0, T.NoOpTransform), (1.0, T.HFlipTransform)):
        assert isinstance(T.RandomFlip(prob).get_transform(image), kind)
    flips = [T.RandomFlip(0.25).get_transform(image) for _ in range(400)]
    assert 60 < sum(isinstance(f, T.HFlipTransform) for f in flips) < 140


def test_own_augmentations_get_what_their_arguments_name(image):
    class Look(T.Augmentation):
        def __init__(self, level, more=3):
            self._init(locals())

        def get_transform(self, boxes, image):
            assert boxes.shape == (1, 4) and image.shape == (40, 60, 3)
            return T.NoOpTransform()

    assert repr(Look(2)) == "Look(level=2)"
    Look(2)(T.AugInput(image, boxes=np.zeros((1, 4))))

    class Wants(T.Augmentation):
        def get_transform(self, depth):
            return T.NoOpTransform()

    with pytest.raises(AttributeError, match="no attribute 'depth'"):
        Wants()(T.AugInput(image))

    class Forgets(T.Augmentation):
        def get_transform(self, image):
            return None

    with pytest.raises(AssertionError, match="must return an instance of Transform"):
        Forgets()(T.AugInput(image))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: T.RandomFlip(horizontal=True, vertical=True), "one of horizontal and vertical"),
        (lambda: T.ResizeShortestEdge([1, 2, 3]), "must be two values"),
        (lambda: T.ResizeShortestEdge([1, 2], sample_style="any"), "sample_style: got 'any'"),
        (lambda: T.RandomCrop("relativ", (1, 1)), "INPUT.CROP.TYPE .relativ. is unknown"),
        (
            lambda: T.RandomCrop("relative", (192, 192)).get_transform(np.ones((9, 9))),
            "INPUT.CROP.SIZE.*192.*relative",
        ),
        (lambda: T.AugmentationList(["flip"]), "not an Augmentation: 'flip'"),
        (lambda: T.AugInput([[1]]), "numpy array"),
    ],
)
def test_wrong_settings_are_refused_at_once(make, message):
    with pytest.raises((ValueError, AssertionError), match=message):
        make()


def test_floating_point_images_are_resized_like_bytes(image):
    resize = T.ResizeTransform(40, 60, 20, 30)
    smooth = np.tile(np.linspace(0, 255, 60, dtype=np.float32)[None, :, None], (40, 1, 3))
    found = resize.apply_image(smooth)
    assert found.shape == (20, 30, 3) and found.dtype == np.float32
    assert np.abs(np.diff(found[0, :, 0]) - 255 / 29.5).max() < 0.1
    labels = (image[..., 0] > 127).astype(np.uint8)
    assert set(np.unique(resize.apply_segmentation(labels))) <= {0, 1}
    grey = image[..., :1]
    assert resize.apply_image(grey).shape == (20, 30, 1)


@pytest.mark.parametrize("expand", [True, False])
def test_a_quarter_turn_moves_pixels_and_points(expand):
    image = np.random.rand(5, 5 if not expand else 8).astype("float32")
    height, width = image.shape
    turn = T.RotationTransform(height, width, 90, expand=expand)
    np.testing.assert_allclose(turn.apply_image(image), np.rot90(image), atol=1e-6)
    points = np.array([[0.0, 0.0], [width, height], [1.0, 2.0]])
    moved = [[0, width], [height, 0], [2, width - 1]]
    np.testing.assert_allclose(turn.apply_coords(points), moved, atol=1e-9)
    labels = np.arange(image.size, dtype="uint8").reshape(image.shape)
    np.testing.assert_array_equal(turn.apply_segmentation(labels), np.rot90(labels))
    if expand:
        back = turn.inverse()
        np.testing.assert_allclose(back.apply_image(turn.apply_image(image)), image, atol=1e-6)
    else:
        with pytest.raises(NotImplementedError, match="no inverse"):
            turn.inverse()


def test_rotation_keeps_the_channel_of_grey_and_turns_nothing_by_nothing():
    image = np.random.rand(6, 9, 1).astype("float32")
    assert T.RotationTransform(6, 9, 30).apply_image(image).ndim == 3
    assert T.RotationTransform(6, 9, 360).apply_image(image) is image
    assert isinstance(T.RandomRotation(0).get_transform(image), T.NoOpTransform)
    around = T.RandomRotation([10, 20], expand=False, center=[[0, 0], [0, 0]])
    assert np.allclose(around.get_transform(image).apply_coords(np.zeros((1, 2))), 0)
    choice = T.RandomRotation([90, 270], center=[[0.5, 0.5]], sample_style="choice")
    assert choice.get_transform(image).apply_image(image).shape == (9, 6, 1)


def test_scale_jitter_keeps_the_aspect_ratio():
    image = np.zeros((40, 60, 3), dtype="uint8")
    for _ in range(20):
        jitter = T.ResizeScale(0.5, 2.0, 80, 90).get_transform(image)
        assert 30 <= jitter.new_h <= 120 and abs(jitter.new_w - 1.5 * jitter.new_h) <= 1


def test_a_probability_decides_over_any_augmentation():
    image = np.arange(12, dtype="uint8").reshape(3, 4)
    for what in (T.HFlipTransform(4), T.RandomFlip(prob=1.0)):
        for prob, expected in ((0.0, image), (1.0, image[:, ::-1])):
            held = T.AugInput(image.copy())
            done = T.RandomApply(what, prob)(held)
            np.testing.assert_array_equal(held.image, expected)
            np.testing.assert_array_equal(done.apply_image(image), expected)
    with pytest.raises(AssertionError, match="probability"):
        T.RandomApply(T.NoOpTransform(), 1.5)


def test_augmentations_are_applied_to_images_and_inputs():
    image = np.arange(12, dtype="uint8").reshape(3, 4)
    flipped, done = T.apply_augmentations([T.HFlipTransform(4)], image)
    np.testing.assert_array_equal(flipped, image[:, ::-1])
    held, _ = T.apply_transform_gens([done], T.StandardAugInput(image))
    np.testing.assert_array_equal(held.image, flipped)


def test_by_chance_or_not_at_all(image):
    flip = T.HFlipTransform(60)
    assert T.RandomApply(flip, prob=1.0).get_transform(image) is flip
    assert isinstance(T.RandomApply(flip, prob=0.0).get_transform(image), T.NoOpTransform)
    chosen = T.RandomApply(T.RandomFlip(1.0), prob=1.0).get_transform(image)
    assert np.array_equal(chosen.apply_image(image), image[:, ::-1])


def test_one_angle_around_one_point_is_certain(image):
    turn = T.RandomRotation(90, expand=False, center=(0.5, 0.5)).get_transform(image)
    middle = np.array([[30.0, 20.0]])
    assert np.allclose(turn.apply_coords(middle), middle)


def test_pictures_of_every_kind_are_drawn_in_rgb(image):
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    found = convert_image_to_rgb(grey, "L")
    assert found.shape == (3, 4, 3) and np.array_equal(found[..., 1:2], grey)
    assert np.array_equal(convert_image_to_rgb(torch.from_numpy(image), "BGR"), image[..., ::-1])
