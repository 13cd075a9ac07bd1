"""foreground_mask against the mask at full resolution that it never makes."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from d2freq.errors import UserError
from d2freq.modeling.set import foreground_mask


def random_cases(count, *, whole=False):
    """Boxes of three images, some partly outside or empty, a padded size and a level's size."""
    random = torch.Generator().manual_seed(0)

    def number(low, high):
        return int(torch.randint(low, high + 1, (1,), generator=random))

    for _ in range(count):
        padded = number(1, 200), number(1, 200)
        level = number(1, padded[0]), number(1, padded[1])
        sides = torch.tensor([padded[1], padded[0]])
        images = []
        for _ in range(3):
            corner = (torch.rand(number(0, 5), 2, generator=random) * 1.4 - 0.2) * sides
            size = torch.rand(len(corner), 2, generator=random) ** 3 * sides
            boxes = torch.cat((corner, corner + size), dim=1)
            images.append(boxes.round() if whole else boxes)
        yield images, padded, level


def full_resolution(images, padded):
    """As published: whole pixels, the end exclusive; what lies outside is cut off."""
    mask = torch.zeros(len(images), 1, *padded)
    for number, boxes in enumerate(images):
        for x1, y1, x2, y2 in boxes.int().clamp(min=0).tolist():
            mask[number, 0, y1:y2, x1:x2] = 1
    return mask


def test_nearest_equals_the_resized_mask_in_500_random_cases():
    hits = 0
    for images, padded, level in random_cases(500):
        mask = foreground_mask(images, padded, level)
        expected = F.interpolate(full_resolution(images, padded), size=level, mode="nearest")
        assert mask.shape == (3, 1, *level) and mask.dtype == torch.bool
        assert torch.equal(mask, expected.bool()), (padded, level)
        hits += bool(mask.any()) and not bool(mask.all())
    assert hits > 300


def test_any_equals_max_pooling_of_whole_boxes_in_500_random_cases():
    for images, padded, level in random_cases(500, whole=True):
        expected = F.adaptive_max_pool2d(full_resolution(images, padded), level)
        assert torch.equal(foreground_mask(images, padded, level, rule="any"), expected.bool())


def test_any_equals_a_loop_over_cells_and_boxes():
    for images, padded, level in random_cases(40):
        mask = foreground_mask(images, padded, level, rule="any")
        for boxes, found in zip(images, mask[:, 0].tolist(), strict=True):
            for row in range(level[0]):
                top, bottom = row * padded[0] / level[0], (row + 1) * padded[0] / level[0]
                for column in range(min(level[1], 9)):
                    left = column * padded[1] / level[1]
                    right = (column + 1) * padded[1] / level[1]
                    expected = any(
                        max(x1, left) < min(x2, right) and max(y1, top) < min(y2, bottom)
                        for x1, y1, x2, y2 in boxes.tolist()
                    )
                    assert found[row][column] == expected


def test_any_holds_nearest_and_every_box_that_meets_the_image():
    for images, padded, level in random_cases(200):
        nearest = foreground_mask(images, padded, level)
        overlapped = foreground_mask(images, padded, level, rule="any")
        assert not (nearest & ~overlapped).any()
        for box in torch.cat(images):
            inside = box[:2].clamp(min=0) < torch.minimum(box[2:], torch.tensor(padded).flip(0))
            assert foreground_mask([box[None]], padded, level, rule="any").any() == inside.all()


def test_a_box_below_the_stride_vanishes_unless_it_covers_a_sampled_pixel():
    between, on_it = torch.tensor([[9.0, 9, 15, 15]]), torch.tensor([[3.0, 3, 9, 9]])
    masks = foreground_mask([between, on_it], (32, 32), (4, 4))
    assert masks.sum((1, 2, 3)).tolist() == [0, 1] and masks[1, 0, 1, 1]
    masks = foreground_mask([between, on_it], (32, 32), (4, 4), rule="any")
    assert masks.sum((1, 2, 3)).tolist() == [1, 4] and masks[0, 0, 1, 1]


@pytest.mark.parametrize("rule", ["nearest", "any"])
@pytest.mark.parametrize(
    "box",
    [
        [5, 5, 5, 9],  # no width
        [5.25, 5.25, 5.25, 5.25],
        [9, 9, 5, 5],  # corners exchanged
        [-9, 2, -1, 9],
        [40, 2, 50, 9],
        [2, 32, 9, 40],
        [math.nan, 2, 9, 9],
    ],
)
def test_boxes_without_an_area_in_the_image_cover_nothing(box, rule):
    box = torch.tensor([box], dtype=torch.float32)
    assert not foreground_mask([box, box[:0]], (32, 32), (32, 32), rule=rule).any()


@pytest.mark.parametrize("rule", ["nearest", "any"])
def test_a_box_beyond_all_borders_covers_everything(rule):
    box = torch.tensor([[-5.0, -math.inf, math.inf, 99]])
    assert foreground_mask([box], (31, 33), (5, 7), rule=rule).all()


@pytest.mark.parametrize("rule", ["nearest", "any"])
@pytest.mark.parametrize("count", [1, 2])
def test_images_without_boxes_are_background(count, rule):
    mask = foreground_mask([torch.zeros(0, 4)] * count, (64, 48), (8, 6), rule=rule)
    assert mask.shape == (count, 1, 8, 6) and not mask.any()


@pytest.mark.parametrize("dtype", [torch.int64, torch.float16, torch.bfloat16, torch.float64])
def test_takes_boxes_of_any_dtype(dtype):
    box = torch.tensor([[4, 8, 17, 25]])
    expected = foreground_mask([box.float()], (32, 32), (8, 8))
    assert torch.equal(foreground_mask([box.to(dtype)], (32, 32), (8, 8)), expected)


def test_autocast_counts_no_box_away():
    boxes = torch.tensor([[3.0, 3, 20, 20]]).repeat(3000, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mask = foreground_mask([boxes], (32, 32), (8, 8))
    assert torch.equal(mask, foreground_mask([boxes[:1]], (32, 32), (8, 8)))


@pytest.mark.parametrize("rule", ["nearest", "any"])
def test_needs_far_less_than_the_full_resolution(rule):
    """Of 1500 boxes too, where a mask a box would be 1500 times the level."""
    largest = []

    class Sizes(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            largest.extend(leaf.numel() for leaf in tree_leaves(result))
            return result

    boxes = torch.rand(1500, 4) * 100
    boxes[:, 2:] += boxes[:, :2]
    with Sizes():
        foreground_mask([boxes, boxes[:3]], (800, 800), (50, 50), rule=rule)
    assert max(largest) <= 2 * 1500 * 51 < 800 * 800


def test_an_unknown_rule_is_an_error():
    with pytest.raises(UserError, match=r"\(MODEL.SET.MASK\): 'mean'.*nearest, any"):
        foreground_mask([torch.zeros(1, 4)], (8, 8), (4, 4), rule="mean")
