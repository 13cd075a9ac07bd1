"""Detections on tiles: back to the originals exactly, and merged as slow loops merge them."""

import time

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from d2freq.errors import DatasetError, UserError
from d2freq.evaluation import DetectionError, get_protocol
from d2freq.evaluation.coco.guard import Detections
from d2freq.evaluation.coco.measure import check_truth, measure
from d2freq.evaluation.coco.merge_tiles import (
    drop_seams,
    map_to_originals,
    merge,
    merge_on_originals,
)

AITOD = get_protocol("aitod")


def detections(rows) -> Detections:
    """From (image, category, x, y, w, h, score)."""
    table = np.array(rows, np.float64).reshape(-1, 7)
    return Detections(
        table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2:6], table[:, 6]
    )


def rows_of(found: Detections) -> list[tuple]:
    columns = (found.image_id.tolist(), found.category_id.tolist(), found.xywh.tolist())
    return [(i, k, *b, s) for i, k, b, s in zip(*columns, found.score.tolist(), strict=True)]


def tile(number: int, image: int, x, y, scale=1.0) -> dict:
    where = {"image_id": image, "file_name": f"{image}.png", "x": x, "y": y, "scale": scale}
    return {"id": number, "file_name": f"t{number}.png", "width": 64, "height": 64, "tile": where}


def test_a_point_of_a_tile_is_where_the_contract_says():
    tiles = {"images": [tile(9, 100, 640, 32), tile(4, 200, 96, 0, scale=0.5), tile(5, 100, 0, 0)]}
    found = detections([(4, 1, 8, 6, 4, 2, 0.5), (9, 2, 0.25, 3, 5, 7, 0.9), (4, 1, 0, 0, 1, 1, 0)])
    expected = [
        (200, 1, (8 + 96) / 0.5, 6 / 0.5, 8.0, 4.0, 0.5),
        (100, 2, 640.25, 35.0, 5.0, 7.0, 0.9),
        (200, 1, 192.0, 0.0, 2.0, 2.0, 0.0),
    ]
    before = found.xywh.copy()
    assert rows_of(map_to_originals(found, tiles)) == expected
    assert np.array_equal(found.xywh, before)  # the caller's arrays stay as they were
    assert len(map_to_originals(detections([]), tiles)) == 0


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (None, "image 3 has tile None.*d2freq convert tiles"),
        ({"image_id": 1, "x": 0, "y": 0}, "scale above 0"),
        ({"image_id": 1, "x": 0, "y": 0, "scale": 0}, "scale above 0"),
        ({"image_id": 1, "x": 0, "y": float("nan"), "scale": 1.0}, "numbers x and y"),
        ({"image_id": 1.5, "x": 0, "y": 0, "scale": 1.0}, "whole number image_id"),
    ],
)
def test_an_image_that_is_no_tile_is_named(broken, message):
    tiles = {"images": [{**tile(3, 1, 0, 0), "tile": broken}]}
    with pytest.raises(DatasetError, match=message):
        map_to_originals(detections([]), tiles, name="t.json")


def test_detections_on_other_images_are_refused():
    tiles = {"images": [tile(3, 1, 0, 0)]}
    with pytest.raises(DetectionError, match=r"2 images that t\.json does not have.*image 4"):
        map_to_originals(
            detections([(4, 1, 0, 0, 1, 1, 1), (8, 1, 0, 0, 1, 1, 1)]), tiles, name="t.json"
        )


# --- merging, against loops that do one thing at a time -----------------------------------------


def crowded(seed: int) -> Detections:
    """Three images and two categories; many overlaps, equal scores, zeros and equal boxes."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(240):
        corner, sides = rng.integers(0, 60, 2), rng.integers(4, 20, 2)
        score = np.round(rng.random(), 1)
        rows.append((rng.integers(1, 4), rng.integers(1, 3), *corner, *sides, score))
    return detections(rows + rows[:5])


def iou(one, other) -> float:
    pair = [torch.tensor([[b[0], b[1], b[0] + b[2], b[1] + b[3]]]).double() for b in (one, other)]
    return float(box_iou(*pair))


def groups_of(found: Detections) -> dict[tuple, list]:
    """(image, category) -> its (box, score), by falling score, of equals the first that came."""
    groups: dict[tuple, list] = {}
    for image, kind, *box, score in rows_of(found):
        groups.setdefault((image, kind), []).append((box, score))
    return {key: sorted(groups[key], key=lambda entry: -entry[1]) for key in sorted(groups)}


def slow_nms(group: list, threshold: float) -> list:
    kept: list = []
    for box, score in group:
        if all(iou(box, other) <= threshold for other, _ in kept):
            kept.append((box, score))
    return kept


def slow_fusion(group: list, threshold: float) -> list:
    clusters: list[list] = []

    def fuse(members):
        weights = [max(score, 1e-12) for _, score in members]
        corners = [(x, y, x + w, y + h) for (x, y, w, h), _ in members]
        mean = [
            sum(w * c[side] for w, c in zip(weights, corners, strict=True)) / sum(weights)
            for side in range(4)
        ]
        box = [mean[0], mean[1], mean[2] - mean[0], mean[3] - mean[1]]
        return box, sum(score for _, score in members) / len(members)

    for entry in group:
        overlaps = [iou(entry[0], fuse(members)[0]) for members in clusters]
        best = int(np.argmax(overlaps)) if overlaps else -1
        if overlaps and overlaps[best] > threshold:
            clusters[best].append(entry)
        else:
            clusters.append([entry])
    return sorted(map(fuse, clusters), key=lambda entry: -entry[1])


def slow_soft(group: list, threshold: float) -> list:
    left, found = list(group), []
    while left:
        box, score = max(left, key=lambda entry: entry[1])  # of equals the first that came
        if score < 0.001:
            break
        left.remove((box, score))
        found.append((box, score))
        lowered = []
        for other, points in left:
            overlap = iou(box, other)
            lowered.append((other, points * (1 - overlap) if overlap > threshold else points))
        left = lowered
    return sorted(found, key=lambda entry: -entry[1])


@pytest.mark.parametrize(
    ("method", "slow"), [("nms", slow_nms), ("weighted", slow_fusion), ("soft", slow_soft)]
)
@pytest.mark.parametrize(("seed", "threshold"), [(0, 0.5), (1, 0.3), (2, 0.7)])
def test_merge_equals_a_slow_loop(method, slow, seed, threshold):
    found = crowded(seed)
    expected = [
        (image, kind, *box, score)
        for (image, kind), group in groups_of(found).items()
        for box, score in slow(group, threshold)
    ]
    merged = rows_of(merge(found, method=method, iou_threshold=threshold))
    assert 6 < len(merged) == len(expected) < len(found) + (method == "soft")
    tolerance = 0 if method == "nms" else 1e-9
    assert np.abs(np.array(merged) - np.array(expected)).max() <= tolerance


@pytest.mark.parametrize("method", ["nms", "weighted", "soft"])
def test_what_nothing_overlaps_stays_bit_for_bit(method):
    rng = np.random.default_rng(0)
    sizes = rng.uniform(0.1, 9, (8, 2))
    rows = [(1, 1, 10 * n + 0.1, 1 / 3, *size, 0.7) for n, size in enumerate(sizes.tolist())]
    assert rows_of(merge(detections(rows), method=method)) == rows


@pytest.mark.parametrize(("method", "seconds"), [("nms", 3), ("weighted", 9), ("soft", 9)])
def test_thousands_merge_in_moments(method, seconds):
    """Seconds of the processor; a comparison of all with all takes half a minute and more."""
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 4000, (20_000, 2))
    sides, scores = rng.uniform(4, 16, (20_000, 2)), rng.random((20_000, 1))
    once = np.hstack([np.ones((20_000, 2)), corners, sides, scores])
    found = detections(np.concatenate([once, once + [0, 0, 0.5, 0.5, 0, 0, -1e-3]]).clip(0))
    start = time.process_time()
    merged = merge(found, method=method)
    assert time.process_time() - start < seconds
    few = merged.score > 0.3 if method == "soft" else np.ones(len(merged), bool)
    assert 10_000 < few.sum() < 22_000


def test_of_nothing_nothing_is_merged():
    assert len(merge(detections([]))) == 0


def test_unknown_ways_to_merge_are_refused():
    with pytest.raises(UserError, match=r"'softer'.*nms, weighted, soft"):
        merge(detections([]), method="softer")
    with pytest.raises(UserError, match="1.5 is no overlap"):
        merge(detections([]), iou_threshold=1.5)


# --- a scene cut by hand ---------------------------------------------------------------------


def scene() -> tuple[dict, dict]:
    """A 200 x 100 image of 60 objects, and its three tiles of 100 pixels that overlap by 50.

    Each object lies wholly in at least one tile; tiles hold those that they see whole.
    """
    rng = np.random.default_rng(5)
    boxes = [(9.0 * (n % 20) + 5, 30.0 * (n // 20) + 4, *rng.integers(5, 9, 2)) for n in range(60)]
    kinds = [{"id": k, "name": f"kind{k}"} for k in (1, 2)]

    def record(number, image, box, kind) -> dict:
        flat = {"id": number, "image_id": image, "category_id": kind, "iscrowd": 0}
        return flat | {"bbox": [float(v) for v in box], "area": float(box[2] * box[3])}

    originals = [record(n + 1, 70, box, 1 + n % 2) for n, box in enumerate(boxes)]
    on_tiles: list[dict] = []
    for number, left in enumerate((0, 50, 100), start=1):
        for own in originals:
            x, y, w, h = own["bbox"]
            if left <= x and x + w <= left + 100:
                shifted = (x - left, y, w, h)
                on_tiles.append(record(len(on_tiles) + 1, number, shifted, own["category_id"]))
    image = {"id": 70, "file_name": "a.png", "width": 200, "height": 100}
    tiles = [tile(n, 70, left, 0) for n, left in enumerate((0, 50, 100), start=1)]
    tiles = [{**record, "width": 100, "height": 100} for record in tiles]
    return (
        {"images": [image], "annotations": originals, "categories": kinds},
        {"images": tiles, "annotations": on_tiles, "categories": kinds},
    )


@pytest.mark.parametrize("method", ["nms", "weighted"])
def test_perfect_detections_on_tiles_are_perfect_on_the_original(method):
    original, tiles = scene()
    found = detections(
        [(a["image_id"], a["category_id"], *a["bbox"], 0.9) for a in tiles["annotations"]]
    )
    assert len(found) > 80  # many objects are seen twice
    truth = check_truth(original, AITOD, "originals.json")
    mapped = map_to_originals(found, tiles)
    twice = measure(truth, mapped, AITOD, name="unmerged").results["AP"]
    assert twice < 99.0  # what the second sight of an object costs without a merge
    merged, about = merge_on_originals(
        found, tiles, truth, method=method, iou_threshold=0.5, name="tiles.json"
    )
    results = measure(truth, merged, AITOD, name="merged").results
    assert len(merged) == 60 and results["AP"] == results["AR@1500"] == pytest.approx(100.0)
    assert about["detections_on_tiles"] == len(found) and about["method"] == method


def test_tiles_of_other_originals_are_refused():
    original, tiles = scene()
    for record in tiles["images"]:
        record["tile"]["image_id"] = 71
    truth = check_truth(original, AITOD, "originals.json")
    with pytest.raises(DetectionError, match="71"):
        merge_on_originals(
            detections([(1, 1, 0, 0, 5, 5, 0.9)]),
            tiles,
            truth,
            method="nms",
            iou_threshold=0.5,
            name="t.json",
        )


def test_the_part_that_a_tile_cuts_off_goes_where_its_neighbour_has_the_whole():
    """An object at x 88 to 108 of tiles that meet from 70 to 100; a part of 12 px beside 20."""
    tiles = {"images": [tile(1, 7, 0, 0), tile(2, 7, 70, 0), tile(3, 8, 70, 0)]}
    tiles["images"] = [{**image, "width": 100, "height": 100} for image in tiles["images"]]
    part, whole = (1, 1, 88, 40, 12, 10, 0.8), (2, 1, 18, 40, 20, 10, 0.9)
    elsewhere = (3, 1, 0, 40, 12, 10, 0.7)  # another image, whose one tile has no neighbour
    found = detections([part, whole, elsewhere])
    assert len(merge(map_to_originals(found, tiles), iou_threshold=0.7)) == 3
    assert rows_of(drop_seams(found, tiles)) == rows_of(detections([whole, elsewhere]))
    halved = [{**image, "tile": {**image["tile"], "scale": 0.5}} for image in tiles["images"]]
    assert rows_of(drop_seams(found, {"images": halved})) == rows_of(detections([whole, elsewhere]))
    assert len(drop_seams(detections([]), tiles)) == 0


def test_tiles_of_two_scales_do_not_judge_each_other():
    tiles = {"images": [tile(1, 7, 0, 0), tile(2, 7, 0, 0, scale=0.5)]}
    found = detections([(1, 1, 40, 40, 24, 10, 0.9), (2, 1, 20, 20, 12, 5, 0.8)])
    assert len(drop_seams(found, tiles)) == 2
