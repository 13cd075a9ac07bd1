"""Tiles against the whole picture: the same objects, each once, and the same AP."""

import numpy as np
import pytest

from d2freq.evaluation import get_protocol
from d2freq.evaluation.coco.guard import Detections as Rows
from d2freq.evaluation.coco.measure import check_truth, measure
from d2freq.inference import Detections, Detector
from d2freq.inference.resize import boxes_back, factor, resized
from d2freq.inference.tiling import Merging, assemble
from d2freq.inference.tiling.plan import TilePlan
from tests.d2freq.inference.blobs import NAMES, BlobEngine, blob_picture, sorted_boxes

SIZE = (430, 370)


@pytest.fixture(scope="module")
def scene():
    """A picture with a blob in each cell of 24 px, up to 14 px long, and their boxes."""
    return blob_picture(*SIZE, seed=3)


def average_precision(found: Detections, boxes: np.ndarray) -> float:
    def record(number, box, kind) -> dict:
        x, y, width, height = box[0], box[1], box[2] - box[0], box[3] - box[1]
        flat = {"id": number, "image_id": 1, "category_id": kind, "iscrowd": 0}
        return flat | {"bbox": [x, y, width, height], "area": width * height}

    annotations = [record(n + 1, box, n % 2 + 1) for n, box in enumerate(boxes.tolist())]
    truth = {
        "images": [{"id": 1, "file_name": "a.png", "width": SIZE[0], "height": SIZE[1]}],
        "annotations": annotations,
        "categories": [{"id": n + 1, "name": name} for n, name in enumerate(NAMES)],
    }
    rows = Rows(
        np.ones(len(found), np.int64),
        found.classes + 1,
        np.hstack([found.boxes[:, :2], found.boxes[:, 2:] - found.boxes[:, :2]]),
        found.scores,
    )
    aitod = get_protocol("aitod")
    return measure(check_truth(truth, aitod, "truth"), rows, aitod, name="x").results["AP"]


@pytest.mark.parametrize("method", ["nms", "weighted", "soft"])
@pytest.mark.parametrize(("tile", "overlap"), [((100, 90), 18), ((128, 128), 40), ((64, 64), 32)])
def test_tiles_find_what_the_whole_picture_holds(scene, method, tile, overlap):
    pixels, boxes = scene
    found = Detector(BlobEngine())(pixels, tile=tile, overlap=overlap, merge=method, score=0.2)
    assert np.abs(sorted_boxes(found.boxes) - sorted_boxes(boxes)).max() <= 1e-6
    assert average_precision(found, boxes) == pytest.approx(100.0)


def test_without_cores_the_parts_on_seams_stay(scene):
    """What the merge by overlap alone leaves, so that the test above can fail."""
    from d2freq.evaluation.coco.merge_tiles import merge

    pixels, boxes = scene
    plan, engine = TilePlan((100, 90), (18, 18)), BlobEngine()
    windows = plan.windows(SIZE)
    own = engine([pixels[w.y : w.y + w.height, w.x : w.x + w.width] for w in windows])
    moved = [found.boxes + [w.x, w.y] * 2 for w, found in zip(windows, own, strict=True)]
    corners = np.concatenate(moved)
    classes = np.concatenate([found.classes for found in own])
    rows = Rows(
        np.ones(len(corners), np.int64),
        classes,
        np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]]),
        np.full(len(corners), 0.9),
    )
    merged = merge(rows)
    left = Detections(
        np.hstack([merged.xywh[:, :2], merged.xywh[:, :2] + merged.xywh[:, 2:]]),
        merged.score,
        merged.category_id,
    )
    assert len(left) > 1.02 * len(boxes) and average_precision(left, boxes) < 99.5


def test_one_tile_is_left_as_the_model_gave_it():
    """Two boxes that a merge would make one: the model has its own rule, and has kept both."""
    boxes = np.array([[1.0, 1, 20, 20], [2, 2, 21, 21]])
    found = Detections(boxes, np.array([0.9, 0.8]), np.zeros(2, np.int64))
    (window,) = TilePlan(None).windows((30, 30))
    assert len(assemble([found], [window], (30, 30), merging=Merging())) == 2


def test_without_tiles_nothing_is_found():
    none = assemble([], [], (9, 9), merging=Merging(), names=NAMES)
    assert len(none) == 0 and none.names == NAMES


def test_tiles_are_resized_and_boxes_come_back():
    """A detector of 200 px short sides on tiles of 100: objects twice as large in the network."""
    pixels, boxes = blob_picture(250, 220)
    engine = BlobEngine(short_side=200, longest_side=2000)
    seen: list[tuple[int, int]] = []

    class Looking(BlobEngine):
        def __call__(self, pictures):
            seen.extend(picture.shape[:2] for picture in pictures)
            return super().__call__(pictures)

    detector = Detector(Looking(short_side=200, longest_side=2000))
    found = detector(pixels, tile=(100, 100), overlap=30)
    assert set(seen) == {(200, 200)} and len(found) == len(boxes)
    apart = np.abs(found.boxes[:, None] - boxes[None]).max(2)  # corners, to every object
    assert apart.min(0).max() <= 1.0 and apart.min(1).max() <= 1.0
    # a narrow picture's tiles are enlarged as much as whole ones
    seen.clear()
    detector(pixels[:60], tile=(100, 100), overlap=30)
    assert set(seen) == {(120, 200)}
    assert factor(engine.about, (100, 100)) == 2 and factor(engine.about, None) == 1


def test_resizing_is_that_of_the_test_loader():
    from detectron2.data.transforms import ResizeShortestEdge

    about = BlobEngine(short_side=80, longest_side=100).about
    pixels = blob_picture(100, 60)[0]
    expected = ResizeShortestEdge([80, 80], 100).get_transform(pixels).apply_image(pixels)
    small = resized(pixels, about)
    assert small.shape[:2] == (60, 100) and np.array_equal(small, expected)
    assert resized(pixels, BlobEngine().about) is pixels
    found = Detections(np.array([[10.0, 20, 30, 40]]), np.ones(1), np.zeros(1, np.int64))
    back = boxes_back(found, given=(120, 50), seen=(60, 100))
    assert back.boxes.tolist() == [[5.0, 40.0, 15.0, 80.0]]
