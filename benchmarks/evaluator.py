"""Evaluation against pycocotools with the same parameters: seconds, peak memory, difference.

python benchmarks/evaluator.py [--parts 200x1500 1000x1500 14018x300] [--folder FOLDER]

Synthetic data in AI-TOD's likeness: images of 800 pixels, 8 classes, some 25 boxes an image, half
of the detections near a box, scores of three digits and so with ties. Each side runs in a process
of its own, so that its peak memory is that of reading and counting together: pycocotools and d2freq
from the same two JSON files, and d2freq with the detections as arrays. Where there are more than
two million detections pycocotools is left out. Prints a markdown table.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from common import in_new_process, peak_rss_mb, where

from d2freq.data.coco.write import write_coco
from d2freq.evaluation import get_protocol
from d2freq.evaluation.coco.counting import count
from d2freq.evaluation.coco.detections_file import read_detections, write_detections
from d2freq.evaluation.coco.guard import Detections, guard_detections
from d2freq.evaluation.coco.measure import read_truth

PARTS = ("200x1500", "1000x1500", "14018x300")
SIDE, CLASSES, BOXES = 800.0, 8, 25
TOO_MANY = 2_000_000  # pycocotools would take half an hour and tens of gigabytes
TRUTH, JSON, ARRAYS = "truth.json", "detections.json", "detections.npz"


def make_data(folder: Path, images: int, each: int) -> None:
    """Write ground truth and ``each`` detections an image, as JSON and as arrays."""
    random = np.random.default_rng(0)
    ids = np.arange(1, images + 1)
    image_id = np.repeat(ids, random.poisson(BOXES, images))
    kind = random.integers(1, CLASSES + 1, len(image_id))
    boxes = make_boxes(random, len(image_id)).round(1)
    columns = (image_id.tolist(), kind.tolist(), boxes.tolist(), random.random(len(boxes)).tolist())
    annotations = [
        {"id": n, "image_id": i, "category_id": k, "bbox": box, "area": box[2] * box[3]}
        | {"iscrowd": int(draw < 0.02)}
        for n, (i, k, box, draw) in enumerate(zip(*columns, strict=True), start=1)
    ]
    size = {"width": int(SIDE), "height": int(SIDE)}
    write_coco(
        folder / TRUTH,
        images=[{"id": i, "file_name": f"{i}.png", **size} for i in ids.tolist()],
        annotations=annotations,
        categories=[{"id": k, "name": f"class {k}"} for k in range(1, CLASSES + 1)],
    )
    detections = make_detections(random, np.repeat(ids, each), image_id, kind, boxes)
    write_detections(folder / JSON, detections)
    names = ("image_id", "category_id", "xywh", "score")
    np.savez(folder / ARRAYS, **{name: getattr(detections, name) for name in names})


def make_boxes(random: np.random.Generator, number: int) -> np.ndarray:
    """Boxes (number, 4) of 12 pixels in the median, inside the image."""
    size = np.exp(random.normal(np.log(12), 0.5, (number, 2))).clip(3, 80)
    return np.concatenate([random.uniform(0, SIDE - size), size], axis=1)


def make_detections(random, image, image_id, kind, boxes) -> Detections:
    """One detection for each entry of ``image``: half near a box of that image, half anywhere."""
    first, last = (np.searchsorted(image_id, image, side) for side in ("left", "right"))
    near = (random.random(len(image)) < 0.5) & (last > first)
    pick = np.where(near, first + (random.random(len(image)) * (last - first)).astype(int), 0)
    shaken = boxes[pick].copy()
    shaken[:, :2] += random.normal(0, 0.15, (len(image), 2)) * shaken[:, 2:]
    shaken[:, 2:] *= np.exp(random.normal(0, 0.15, (len(image), 2)))
    score = np.where(near, random.beta(3, 2, len(image)), random.beta(1, 4, len(image)))
    return Detections(
        image,
        np.where(near, kind[pick], random.integers(1, CLASSES + 1, len(image))),
        np.where(near[:, None], shaken, make_boxes(random, len(image))),
        score.round(3),
    )


def run_d2freq(folder: Path, *, arrays: bool) -> tuple[float, float, np.ndarray, np.ndarray]:
    """Seconds to read and to count, precision and recall."""
    protocol = get_protocol("aitod")
    start = time.perf_counter()
    truth = read_truth(folder / TRUTH, protocol)
    if arrays:
        with np.load(folder / ARRAYS) as columns:
            detections = Detections(**columns)
    else:
        detections = read_detections(folder / JSON)
    detections = guard_detections(detections, truth)
    read = time.perf_counter()
    counts = count(truth, detections, protocol)
    return read - start, time.perf_counter() - read, counts.precision, counts.recall


def run_pycocotools(folder: Path) -> tuple[float, float, np.ndarray, np.ndarray]:
    """As run_d2freq."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    protocol = get_protocol("aitod")
    start = time.perf_counter()
    truth = COCO(str(folder / TRUTH))
    evaluation = COCOeval(truth, truth.loadRes(str(folder / JSON)), "bbox")
    read = time.perf_counter()
    evaluation.params.maxDets = list(protocol.max_dets)
    evaluation.params.areaRng = [[area.low, area.high] for area in protocol.all_areas]
    evaluation.params.areaRngLbl = [area.label for area in protocol.all_areas]
    evaluation.evaluate()
    evaluation.accumulate()
    end = time.perf_counter()
    return read - start, end - read, evaluation.eval["precision"], evaluation.eval["recall"]


SIDES = {
    "pycocotools": run_pycocotools,
    "d2freq": lambda folder: run_d2freq(folder, arrays=False),
    "d2freq, arrays": lambda folder: run_d2freq(folder, arrays=True),
}


def run_side(side: str, folder: Path) -> dict[str, float]:
    """Measure one side in this process, and leave its precision and recall in ``folder``."""
    read, counted, precision, recall = SIDES[side](folder)
    np.savez(folder / f"{side}.npz", precision=precision, recall=recall)
    return {"read": read, "count": counted, "mb": peak_rss_mb()}


def difference(folder: Path, one: str, other: str) -> float:
    """Largest difference of precision or recall between two sides."""
    with np.load(folder / f"{one}.npz") as a, np.load(folder / f"{other}.npz") as b:
        return max(float(np.abs(a[key] - b[key]).max()) for key in ("precision", "recall"))


def measure_part(part: str, folder: Path) -> None:
    """Print a row for each side of ``IMAGESxDETECTIONS``."""
    images, each = map(int, part.split("x"))
    make_data(folder, images, each)
    sides = [side for side in SIDES if side != "pycocotools" or images * each <= TOO_MANY]
    results = {}
    for side in sides:
        result = json.loads(in_new_process(__file__, "--side", side, "--folder", str(folder)))
        results[side] = result
        numbers = f"{result['read']:.1f} | {result['count']:.2f} | {result['mb']:.0f}"
        ratios = "| |"
        if "pycocotools" in results and side != "pycocotools":
            ratio = results["pycocotools"]["count"] / result["count"]
            ratios = f"| {ratio:.0f} | {difference(folder, side, 'pycocotools'):.1e}"
        print(f"| {images:,} x {each:,} | {side} | {numbers} {ratios} |", flush=True)


def main() -> None:
    """Measure the parts one after another."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", default=PARTS, help="images x detections an image")
    parser.add_argument(
        "--folder",
        type=Path,
        help="an existing folder that keeps the data of the last part; a temporary one otherwise",
    )
    parser.add_argument("--side", choices=SIDES, help="measure this process alone")
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(run_side(arguments.side, arguments.folder)))
        return
    print(where())
    print("\n| images x detections | | read, s | count, s | peak MB | times faster | difference |")
    print("|---|---|---|---|---|---|---|")
    for part in arguments.parts:
        with tempfile.TemporaryDirectory() as folder:
            measure_part(part, arguments.folder or Path(folder))


if __name__ == "__main__":
    main()
