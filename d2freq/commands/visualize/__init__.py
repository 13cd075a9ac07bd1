"""``d2freq visualize``: pictures and curves."""

import argparse

from d2freq.commands import add_topics
from d2freq.commands.visualize.hs_fpn import TOPICS
from d2freq.commands.visualize.unmixing import TOPICS as UNMIXING

SUMMARY = "draw what a detector found, how it learned, and what HS-FPN makes of an image"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What can be drawn."""
    add_topics(
        command,
        {
            "detections": ("hits, false alarms and misses drawn on the pictures", _detections),
            "losses": ("loss and AP curves of a training run", _losses),
            **TOPICS,
            **UNMIXING,
        },
    )


def _detections(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", required=True, help="registered name: tiny_scenes_val")
    parser.add_argument("--predictions", required=True, help="coco_instances_results.json")
    parser.add_argument("--output", required=True, help="folder for the pictures")
    parser.add_argument("--count", type=int, default=12, help="how many pictures; 0 is all")
    parser.add_argument("--score-threshold", type=float, default=0.3, help="draw from here on")
    parser.add_argument("--iou-threshold", type=float, default=0.5, help="overlap of a hit")
    parser.set_defaults(run=_run_detections)


def _run_detections(arguments: argparse.Namespace) -> None:
    from d2freq.analysis.detections.pictures import visualize_detections

    paths = visualize_detections(
        arguments.dataset,
        arguments.predictions,
        arguments.output,
        count=arguments.count,
        score_threshold=arguments.score_threshold,
        iou_threshold=arguments.iou_threshold,
    )
    print(f"{arguments.output}: {len(paths)} pictures")


def _losses(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--metrics", required=True, help="metrics.json of a training run")
    parser.add_argument("--output", required=True, help="the PNG to write")
    parser.set_defaults(run=_run_losses)


def _run_losses(arguments: argparse.Namespace) -> None:
    from d2freq.analysis.loss_curve import plot_losses

    print(plot_losses(arguments.metrics, arguments.output))
