"""``d2freq visualize``: pictures and curves."""

import argparse

from d2freq.analysis.detections.pictures import visualize_detections
from d2freq.analysis.loss_curve import plot_losses
from d2freq.commands import options
from d2freq.commands.topics import Topic, add_topics
from d2freq.commands.visualize.hs_fpn import TOPICS as HS_FPN
from d2freq.commands.visualize.unmixing import UNMIXING

SUMMARY = "draw what a detector found, how it learned, and what HS-FPN makes of an image"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What can be drawn."""
    add_topics(command, (DETECTIONS, LOSSES, *HS_FPN, UNMIXING))


def _detections(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", required=True, help="registered name: tiny_scenes_val")
    parser.add_argument("--predictions", required=True, help="coco_instances_results.json")
    options.add(parser, "--output", help="folder for the pictures")
    options.add(parser, "--count", default=12, help="how many pictures; 0 is all")
    parser.add_argument("--score-threshold", type=float, default=0.3, help="draw from here on")
    parser.add_argument("--iou-threshold", type=float, default=0.5, help="overlap of a hit")


def _draw(dataset: str, predictions: str, output: str, **given) -> str:
    paths = visualize_detections(dataset, predictions, output, **given)
    return f"{output}: {len(paths)} pictures"


def _losses(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--metrics", required=True, help="metrics.json of a training run")
    options.add(parser, "--output")


DETECTIONS = Topic(
    "detections", "hits, false alarms and misses drawn on the pictures", _detections, _draw
)
LOSSES = Topic("losses", "loss and AP curves of a training run", _losses, plot_losses)
