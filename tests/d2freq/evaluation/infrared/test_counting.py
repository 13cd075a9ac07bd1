"""IoU, nIoU, Pd and Fa against plain loops over pixels, and worked by hand.

The rules: IoU, Pd and Fa as DNANet (Li et al., TIP 2023) defines them, with the centroid less than
3 pixels away; nIoU as ACM (Dai et al., WACV 2021).
"""

import math

import numpy as np
import pytest

from d2freq.evaluation.infrared.counting import count_image, results_of
from d2freq.evaluation.infrared.maps import fill_boxes


def components(pixels: np.ndarray) -> list[set[tuple[int, int]]]:
    """By filling from the first pixel in reading order that is not taken yet."""
    left = {(int(y), int(x)) for y, x in np.argwhere(pixels)}
    found = []
    for start in sorted(left):
        if start not in left:
            continue
        part, border = set(), [start]
        while border:
            y, x = border.pop()
            if (y, x) in left:
                left.remove((y, x))
                part.add((y, x))
                border += [(y + v, x + u) for v in (-1, 0, 1) for u in (-1, 0, 1)]
        found.append(part)
    return found


def centre(part: set[tuple[int, int]]) -> tuple[float, float]:
    return tuple(sum(ends) / len(part) for ends in zip(*part, strict=True))


def naive(pairs: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    shared = union = targets = detected = false = pixels = 0
    each = []
    for truth, found in pairs:
        own = {(y, x) for y, x in np.argwhere(truth).tolist()}
        seen = {(y, x) for y, x in np.argwhere(found).tolist()}
        shared, union = shared + len(own & seen), union + len(own | seen)
        pixels += truth.size
        if own | seen:
            each.append(len(own & seen) / len(own | seen))
        parts = components(found)
        for target in components(truth):
            targets += 1
            for part in parts:
                if math.dist(centre(part), centre(target)) < 3:
                    detected += 1
                    parts.remove(part)
                    break
        false += sum(len(part) for part in parts)
    return {
        "IoU": 100 * shared / union,
        "nIoU": 100 * sum(each) / len(each),
        "Pd": 100 * detected / targets,
        "Fa": 1e6 * false / pixels,
    }


def make_pairs(seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Targets of some pixels, moved, torn, lost and added; the last image is empty."""
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(4):
        shape = tuple(rng.integers(20, 40, 2))
        truth, found = np.zeros(shape, bool), np.zeros(shape, bool)
        for _ in range(rng.integers(1, 6)):
            y, x = rng.integers(0, 30, 2)
            height, width = rng.integers(1, 6, 2)
            truth[y : y + height, x : x + width] |= rng.random() < 0.8
            v, u = np.maximum([y, x] + rng.integers(-3, 4, 2), 0)
            found[v : v + height, u : u + width] |= rng.random() < 0.8
        found &= rng.random(shape) < 0.8
        pairs.append((truth, found))
    return [*pairs, (np.zeros((9, 9), bool), np.zeros((9, 9), bool))]


@pytest.mark.parametrize("seed", range(50))
def test_random_maps_equal_plain_loops(seed):
    pairs = make_pairs(seed)
    counts = [count_image(truth, found, 3.0) for truth, found in pairs]
    assert results_of(counts) == pytest.approx(naive(pairs), abs=1e-9)


def one(*boxes: list) -> np.ndarray:
    return fill_boxes(np.array(boxes, float).reshape(-1, 4), 50, 100)


def test_a_target_is_found_within_three_pixels_of_its_centre():
    """The map of 5,000 pixels; what finds nothing is false with all its pixels."""
    target = one([40, 20, 4, 4])
    for shift, pd in ((0, 100), (2, 100), (3, 0)):
        results = results_of([count_image(target, one([40 + shift, 20, 4, 4]), 3.0)])
        assert (results["Pd"], results["Fa"]) == (pd, 0 if pd else 1e6 * 16 / 5000)
    results = results_of([count_image(target, one([43, 20, 4, 4]), 3.0)])
    assert results["IoU"] == results["nIoU"] == pytest.approx(100 * 4 / 28)


def test_a_component_finds_one_target_and_a_target_takes_one_component():
    two = one([10, 10, 2, 2], [14, 10, 2, 2])
    between = one([12, 10, 2, 2])  # 2 pixels from both; joined to none
    assert count_image(two, between, 3.0)[2:5] == (2, 1, 0)
    assert count_image(between, two, 3.0)[2:5] == (1, 1, 4)


def test_iou_is_over_all_pixels_and_niou_over_images():
    whole, part = one([0, 0, 10, 10]), one([0, 0, 5, 10])
    small = one([0, 0, 2, 2])
    results = results_of([count_image(whole, part, 3.0), count_image(small, small, 3.0)])
    assert results["IoU"] == pytest.approx(100 * 54 / 104)
    assert results["nIoU"] == pytest.approx(75.0)


def test_nothing_to_divide_by_is_nan():
    empty = one()
    results = results_of([count_image(empty, empty, 3.0)])
    assert math.isnan(results["IoU"]) and math.isnan(results["nIoU"]) and math.isnan(results["Pd"])
    assert results["Fa"] == 0.0
    assert all(math.isnan(value) for value in results_of([]).values())


def test_a_box_fills_the_pixels_whose_centres_it_holds():
    assert np.argwhere(one([2.4, 1, 1.2, 1])).tolist() == [[1, 2], [1, 3]]
    assert one([2.6, 1, 0.8, 1]).sum() == 0
    assert one([-3, -3, 5, 5]).sum() == 4 and one([98, 48, 9, 9]).sum() == 4
