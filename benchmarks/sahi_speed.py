"""Pictures a second: `d2freq detect`'s search against SAHI's, with the same detector.

    python benchmarks/sahi_speed.py                                  # trains a small detector first
    python benchmarks/sahi_speed.py --model OUTPUT_DIR --exported model.xml model.onnx

Both read a picture of 4,000 x 3,000 pixels with about 3,000 objects from a PNG, cut it into tiles
of 640 px that overlap by a fifth (the same 48 tiles), search them, and merge by NMS of each class
at IoU 0.5; SAHI through d2freq's adapter. First it is checked on six tiles that both find the same
boxes, to half a pixel, before anything is merged, which warms both up. The sides take turns, and
medians are compared; seconds of the processor tell more than those of the clock on a busy machine.
An exported file runs on both sides, too: what is left then is the work around the model.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import ROOT, alternate, where
from PIL import Image
from sahi import AutoDetectionModel
from sahi.predict import get_sliced_prediction
from tabulate import tabulate

import d2freq.inference.adapters.sahi  # noqa: F401  registers model_type="d2freq"
from d2freq.data.scenes.scene import render_scene
from d2freq.inference import Detections, Detector
from d2freq.inference.search import Choice, search_arrays

CHECKED = 1664, 1152  # pixels of the picture's corner, six tiles
WIDTH, HEIGHT, TILE, OVERLAP, IOU = 4000, 3000, 640, 0.2, 0.5
CONFIG = "demo/faster_rcnn_R18_HSFPN_scenes"
SIDE = 256  # of the scenes that a picture is put together from
FLIPS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="output folder of a training; without it one is trained")
    parser.add_argument("--steps", type=int, default=150, help="of that training")
    parser.add_argument("--exported", nargs="*", default=[], help="files of d2freq export")
    parser.add_argument("--score", type=float, default=0.05)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--sahi-batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as work:
        folder = arguments.model or trained(Path(work) / "model", arguments.steps)
        picture, objects = large_picture(Path(work) / "large.png")
        detectors = {"torch": Detector.load(folder)}
        detectors |= {Path(file).name: Detector.load(file) for file in arguments.exported}
        print(f"{WIDTH} x {HEIGHT} pixels, {objects} objects, tiles of {TILE} px")
        rows = measure(detectors, picture, arguments)
    headers = (
        "side",
        "s a picture",
        "CPU s",
        "pictures/s",
        "times SAHI",
        "times by CPU",
        "in the model",
        "detections",
    )
    floats = ("", ".2f", ".2f", ".4f", ".2f", ".2f", ".1%", "")
    print(tabulate(rows, headers, tablefmt="pipe", floatfmt=floats))
    print(where())


def measure(detectors: dict[str, Detector], picture: str, arguments: Any) -> list[tuple]:
    """A row for each side: seconds, pictures a second, ratio to SAHI with torch at batch 1."""
    sides: dict[str, Callable[[], int]] = {}
    clocks = {}
    for name, detector in detectors.items():
        clock = detector.engine = Clock(detector.engine)
        model = AutoDetectionModel.from_pretrained(
            "d2freq", model=detector, confidence_threshold=arguments.score
        )
        worst, count = difference(model, detector, picture, arguments.score)
        print(f"{name}: {count} boxes on six tiles, at most {worst:.4f} px apart")
        if worst > 0.5:
            raise SystemExit("the two sides find different boxes: nothing to compare")
        for batch in arguments.sahi_batches:
            side = f"SAHI, {name}, batch {batch}"
            sides[side] = lambda m=model, b=batch: len(sahi(m, picture, b))
            clocks[side] = clock
        for batch in arguments.batches:
            side = f"d2freq, {name}, batch {batch}"
            sides[side] = lambda d=detector, b=batch: len(search(d, picture, arguments.score, b))
            clocks[side] = clock
    counts: dict[str, int] = {}
    shares: dict[str, list[float]] = {side: [] for side in sides}
    work: dict[str, list[float]] = {side: [] for side in sides}

    def timed(side: str) -> Callable[[], None]:
        def run() -> None:
            clocks[side].seconds, start, cpu = 0.0, time.perf_counter(), time.process_time()
            counts[side] = sides[side]()
            shares[side].append(clocks[side].seconds / (time.perf_counter() - start))
            work[side].append(time.process_time() - cpu)
            print(f"{side}: {time.perf_counter() - start:.1f} s, {work[side][-1]:.1f} CPU s")

        return run

    seconds = alternate({s: timed(s) for s in sides}, repeats=arguments.repeats, warmup=0)
    cpu = {side: float(np.median(work[side])) for side in sides}
    first = next(iter(sides))
    return [
        (
            *(side, s, cpu[side], 1 / s, seconds[first] / s, cpu[first] / cpu[side]),
            *(float(np.median(shares[side])), counts[side]),
        )
        for side, s in seconds.items()
    ]


class Clock:
    """An engine that says how long it has run."""

    def __init__(self, engine: Any) -> None:
        self.about, self.seconds, self._engine = engine.about, 0.0, engine

    def __call__(self, pictures: Sequence[np.ndarray]) -> list[Detections]:
        start = time.perf_counter()
        found = self._engine(pictures)
        self.seconds += time.perf_counter() - start
        return found


def sahi(model: Any, picture: str, batch: int, match: float = IOU) -> list:
    """SAHI's predictions on the whole picture; ``match`` above 1 merges nothing."""
    return get_sliced_prediction(
        picture,
        model,
        slice_height=TILE,
        slice_width=TILE,
        overlap_height_ratio=OVERLAP,
        overlap_width_ratio=OVERLAP,
        perform_standard_pred=False,
        postprocess_type="NMS",
        postprocess_match_metric="IOU",
        postprocess_match_threshold=match,
        batch_size=batch,
        verbose=0,
    ).object_prediction_list


def search(detector: Detector, picture: str, score: float, batch: int) -> Detections:
    """What `d2freq detect` finds, without its files."""
    return detector(
        picture,
        tile=(TILE, TILE),
        overlap=OVERLAP,
        merge="nms",
        merge_iou=IOU,
        batch=batch,
        score=score,
    )


def difference(model: Any, detector: Detector, picture: str, score: float) -> tuple[float, int]:
    """The largest distance of a corner between both sides' boxes on tiles, and their number.

    Infinite where the numbers differ. Boxes are paired by class, and then by their places.
    """
    corner = Image.open(picture).convert("RGB").crop((0, 0, *CHECKED))
    file = Path(picture).with_name("corner.png")
    corner.save(file)
    theirs = [
        (p.category.id, p.score.value, *p.bbox.to_xyxy()) for p in sahi(model, str(file), 1, 1.1)
    ]
    pixels = np.asarray(corner)
    ours = []
    for tile in detector.tiles((TILE, TILE), OVERLAP).windows(CHECKED):
        part = pixels[tile.y : tile.y + tile.height, tile.x : tile.x + tile.width]
        (found,) = search_arrays(detector.engine, [part], choice=Choice(score))
        boxes = found.boxes + [tile.x, tile.y, tile.x, tile.y]
        ours += zip(found.classes.tolist(), found.scores.tolist(), *boxes.T.tolist(), strict=True)
    if len(ours) != len(theirs):
        return float("inf"), len(ours)
    pair = [np.array(sorted(side), np.float64) for side in (ours, theirs)]
    return float(np.abs(pair[0] - pair[1])[:, 2:].max(initial=0.0)), len(ours)


def large_picture(file: Path) -> tuple[str, int]:
    """A PNG of scenes beside each other, each turned over in four ways; and its objects."""
    columns, lines = -(-WIDTH // SIDE), -(-HEIGHT // SIDE)
    scenes = [render_scene(3, "val", n, SIDE) for n in range(-(-columns * lines // FLIPS))]
    canvas = np.zeros((lines * SIDE, columns * SIDE, 3), np.uint8)
    objects = 0
    for place in range(columns * lines):
        scene, flip = scenes[place // FLIPS], place % FLIPS
        y, x = place // columns * SIDE, place % columns * SIDE
        part = scene.image[:: -1 if flip & 1 else 1, :: -1 if flip & 2 else 1]
        canvas[y : y + SIDE, x : x + SIDE] = part[:, :, ::-1]  # scenes are BGR
        for left, top, width, height in scene.boxes:
            right = x + (SIDE - left if flip & 2 else left + width)
            bottom = y + (SIDE - top if flip & 1 else top + height)
            objects += right <= WIDTH and bottom <= HEIGHT
    Image.fromarray(canvas[:HEIGHT, :WIDTH]).save(file, compress_level=1)
    return str(file), objects


def trained(folder: Path, steps: int) -> Path:
    """The output folder of a short training on generated scenes."""
    data = folder.with_name("data")
    environment = {"DETECTRON2_DATASETS": str(data), "PYTHONPATH": str(ROOT)}
    run = [sys.executable, "-m", "d2freq.cli"]
    options = ["SOLVER.MAX_ITER", str(steps), "TEST.EVAL_PERIOD", "0", "OUTPUT_DIR", str(folder)]
    for words in (
        ["generate", "scenes", "--train", "60", "--val", "4"],
        ["train", "--config-file", CONFIG, *options],
    ):
        subprocess.run([*run, *words], check=True, env={**os.environ, **environment})
    return folder


if __name__ == "__main__":
    main()
