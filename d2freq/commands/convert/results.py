"""``d2freq convert results``: detections from one tool's files to another's."""

import argparse

from d2freq.commands.evaluate import NAMES_HELP
from d2freq.commands.topics import Topic
from d2freq.utils.late import Later
from d2freq.utils.present import present

__all__ = ["TOPICS"]

FORMATS = "coco, csv, fiftyone, label-studio, visdrone, yolo"


def _results(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "source",
        metavar="FROM",
        help="COCO results, YOLO's predictions.json, or a folder: text files of YOLO or VisDrone, "
        "DOTA's Task1 or Task2 files",
    )
    add("output", metavar="TO", help="FILE.json for COCO's result format, or a folder")
    add(
        "--ground-truth",
        required=True,
        metavar="GT.json",
        help="COCO file with the images' names, sizes and ids, and the classes",
    )
    add("--format", dest="formats", default="", metavar="F,F", help=f"of a folder: {FORMATS}")
    add("--names", help=NAMES_HELP)


def _there(place: str) -> str:
    present(place)
    return place


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


TOPICS = (
    Topic(
        "results",
        "detections of any detector to another format",
        _results,
        Later("d2freq.inference.convert_results", "convert_results"),
        list,
        words={"formats": _words, "source": _there, "ground_truth": _there},
    ),
)
