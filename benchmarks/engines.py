"""How fast each engine runs a trained detector, and how far its detections are from torch's.

    python benchmarks/engines.py --model OUTPUT_DIR                     # on the config's test set
    python benchmarks/engines.py --model OUTPUT_DIR --engines openvino "openvino int8" --threads 2

All engines search the same pictures, one at a time, in turns; medians of the time a pass takes are
compared, conversion of pixels included and reading of files not. AP is that of AI-TOD's protocol.
A box of an engine is compared with the nearest of its class that torch finds on the picture, among
those that score 0.1 or more. 8 bits are calibrated on the config's training set.
"""

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from common import alternate, where
from tabulate import tabulate

import d2freq  # noqa: F401  makes 'detectron2' importable on either host

from detectron2.data import DatasetCatalog, MetadataCatalog  # isort: skip

from d2freq.data.coco.read import read_coco
from d2freq.engine.config import load_config
from d2freq.engine.export import export_onnx, export_openvino, export_torchscript
from d2freq.evaluation import get_protocol
from d2freq.evaluation.coco.guard import Detections as Rows
from d2freq.evaluation.coco.measure import check_truth, measure
from d2freq.inference import Detections, Detector
from d2freq.inference.calibration import calibration_pictures
from d2freq.inference.engines.registry import load_engine
from d2freq.inference.load import find_parts
from d2freq.inference.resize import resized
from d2freq.utils.pixels import read_rgb

WRITERS = {
    "torchscript": (export_torchscript, ".pt"),
    "onnx": (export_onnx, ".onnx"),
    "openvino": (export_openvino, ".xml"),
}
COMPARED = 0.1  # the least score of boxes that are compared


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="output folder of a training")
    names = [*WRITERS, "onnx int8", "openvino int8"]
    parser.add_argument("--engines", nargs="+", choices=names, default=names)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--pictures", type=int, help="at most so many in the timing; AP takes all")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    detector = Detector.load(arguments.model)
    config = load_config(find_parts(arguments.model).config_file)
    test, train = config.test_sets()[0], config.train_sets()[0]
    records = DatasetCatalog.get(test)
    pictures = [resized(read_rgb(record["file_name"]), detector.about) for record in records]
    with tempfile.TemporaryDirectory() as folder:
        engines = {"torch": detector.engine}
        for name in arguments.engines:
            kind, _, int8 = name.partition(" ")
            write, suffix = WRITERS[kind]
            path = Path(folder) / f"{name}{suffix}"
            words = {"calibration": calibration_pictures(train, detector.about)} if int8 else {}
            write(detector.engine.model, path, about=asdict(detector.about), **words)
            engines[name] = load_engine(path)
        found = {}
        for name, engine in engines.items():
            found[name] = [engine([pixels])[0] for pixels in pictures]
            print(
                f"{name}: {average_precision(test, records, found[name])['AP']:.2f} AP", flush=True
            )
        timed = pictures[: arguments.pictures]
        seconds = alternate(
            {name: lambda e=engine: [e([p]) for p in timed] for name, engine in engines.items()},
            repeats=arguments.repeats,
            warmup=1,
        )
    rows = []
    for name, own in found.items():
        results = average_precision(test, records, own)
        share, distance = agreement(own, found["torch"])
        rate = len(timed) / seconds[name]
        ratio = seconds["torch"] / seconds[name]
        rows.append((name, rate, ratio, results["AP"], results["AP50"], share, distance))
    headers = (
        "engine",
        "pictures/s",
        "times torch",
        "AP",
        "AP50",
        "same count",
        "farthest box, px",
    )
    formats = ("", ".2f", ".2f", ".2f", ".2f", ".0%", ".4f")
    print(f"{len(timed)} pictures of {test}, {arguments.threads} threads")
    print(tabulate(rows, headers, tablefmt="pipe", floatfmt=formats))
    print(where())


def average_precision(dataset: str, records: list[dict], found: list[Detections]) -> dict:
    """By AI-TOD's protocol, in the pixels that testing resizes to."""
    data = read_coco(MetadataCatalog.get(dataset).json_file)
    ids = np.array(sorted(category["id"] for category in data["categories"]))
    protocol = get_protocol("aitod")
    images = [
        np.full(len(own), record["image_id"]) for own, record in zip(found, records, strict=True)
    ]
    boxes = np.concatenate([own.boxes for own in found])
    rows = Rows(
        np.concatenate(images),
        ids[np.concatenate([own.classes for own in found])],
        np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]),
        np.concatenate([own.scores for own in found]),
    )
    return measure(check_truth(data, protocol, dataset), rows, protocol, name=dataset).results


def agreement(found: list[Detections], expected: list[Detections]) -> tuple[float, float]:
    """Share of pictures with as many detections; the farthest of a box from torch's nearest."""
    same = np.mean([len(a) == len(b) for a, b in zip(found, expected, strict=True)])
    farthest = 0.0
    for own, true in zip(found, expected, strict=True):
        own = own[own.scores >= COMPARED]
        if len(own) and len(true):
            distance = np.abs(own.boxes[:, None] - true.boxes).max(axis=2)
            distance[own.classes[:, None] != true.classes] = np.inf
            farthest = max(farthest, float(distance.min(axis=1).max()))
    return float(same), farthest


if __name__ == "__main__":
    main()
