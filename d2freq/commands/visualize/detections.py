"""``d2freq visualize detections``: hits, false alarms and misses drawn on the pictures."""

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from d2freq.commands import options
from d2freq.commands.topics import Topic
from d2freq.errors import UserError

if TYPE_CHECKING:
    from d2freq.engine.config import Config

__all__ = ["DETECTIONS"]

RESULTS = "inference/coco_instances_results.json"


def _detections(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", help="registered name: tiny_scenes_val")
    parser.add_argument(
        "--config-file",
        help="a config, or its name: its test set, its D2FREQ.DATASETS, the detections in its "
        "OUTPUT_DIR",
    )
    parser.add_argument("--truth", metavar="FILE.json", help="a COCO file in place of a data set")
    parser.add_argument("--images", metavar="DIR", help="where its pictures lie")
    parser.add_argument("--predictions", help="coco_instances_results.json")
    options.add(parser, "--output", help="folder for the pictures")
    options.add(parser, "--count", default=12, help="how many pictures; 0 is all")
    parser.add_argument("--score-threshold", type=float, default=0.3, help="draw from here on")
    parser.add_argument("--iou-threshold", type=float, default=0.5, help="overlap of a hit")
    options.add(parser, "opts", help="config overrides: KEY VALUE")


def _draw(
    dataset: str | None,
    config_file: str | None,
    opts: Sequence[str],
    truth: str | None,
    images: str | None,
    predictions: str | None,
    output: str,
    **given: Any,
) -> str:
    from d2freq.analysis.detections.pictures import visualize_detections
    from d2freq.engine.config import load_config

    if opts and not config_file:
        raise UserError(f"{opts[0]}: KEY VALUE changes a config, and there is no --config-file")
    if (truth is None) != (images is None):
        raise UserError(
            "--truth names a COCO file and --images the folder of its pictures: give both"
        )
    if truth and images and (dataset or config_file):
        raise UserError("--truth stands in place of --dataset and --config-file: give one of them")
    config = load_config(config_file, opts) if config_file else None
    if truth and images:
        dataset = _registered(truth, images)
    name = dataset or (_test_set(config) if config else None)
    if name is None:
        raise UserError(
            "no data set: --dataset NAME, --config-file C, or --truth FILE --images DIR"
        )
    found = predictions or (_of_run(config, name) if config else None)
    if found is None:
        raise UserError("no detections: --predictions FILE, such as coco_instances_results.json")
    paths = visualize_detections(name, found, output, **given)
    return f"{output}: {len(paths)} pictures"


def _registered(truth: str, images: str) -> str:
    """The name of a COCO file in this process' catalog."""
    from d2freq.data.catalog import register_coco

    for path, there in ((truth, os.path.isfile), (images, os.path.isdir)):
        if not there(path):
            raise UserError(f"{path}: no such {'file' if path is truth else 'folder'}")
    name = f"{os.path.abspath(truth)} on {os.path.abspath(images)}"
    register_coco(name, truth, images)
    return name


def _test_set(config: "Config") -> str:
    sets = config.test_sets()
    if not sets:
        raise UserError(f"{config.source}: names no test set; name one: --dataset")
    return sets[0]


def _of_run(config: "Config", dataset: str) -> str:
    """Where an evaluation by this config has left its detections."""
    folder, file = os.path.split(RESULTS)
    several = [dataset] if len(config.test_sets()) > 1 else []  # each has a folder of its name
    path = os.path.join(config.output_dir, folder, *several, file)
    if not os.path.isfile(path):
        raise UserError(f"{path}: no such file; name the detections: --predictions FILE")
    return path


DETECTIONS = Topic(
    "detections", "hits, false alarms and misses drawn on the pictures", _detections, _draw
)
