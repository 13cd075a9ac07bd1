"""Topics of ``d2freq convert`` that leave the images whole: to a COCO file, and from one."""

import argparse
from functools import partial

from d2freq.commands import options
from d2freq.commands.topics import Topic
from d2freq.data.convert.coco_to_voc import write_voc
from d2freq.data.convert.coco_to_yolo import write_yolo
from d2freq.data.convert.images_to_coco import describe_coco
from d2freq.data.convert.visdrone import convert_visdrone
from d2freq.data.convert.voc import convert_voc
from d2freq.data.convert.yolo import convert_yolo

__all__ = ["FROM_COCO", "TO_COCO"]


def _visdrone(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="unpacked VisDrone2019-DET-train, -val or -test-dev")
    _add_output(parser)


def _yolo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="folder with images and labels")
    parser.add_argument("--split", default="", help="folder in both: train; without it all")
    _add_names(parser, "the data.yaml or classes.txt in SOURCE or above it")
    _add_output(parser)


def _voc(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="folder with Annotations and JPEGImages")
    parser.add_argument(
        "--split", default="", help="list in ImageSets/Main: train; without it every XML file"
    )
    parser.add_argument(
        "--one-based",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="pixels count from 1 and xmax is the last one, as in VOC; else edges from 0",
    )
    _add_names(parser, "the classes found, sorted")
    _add_output(parser)


def _coco(parser: argparse.ArgumentParser, output: str) -> None:
    parser.add_argument("json_file", metavar="GT.json", help="COCO file")
    parser.add_argument("--output", required=True, help=output)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", required=True, metavar="FILE.json", help="COCO file to write")
    options.add(parser, "--workers")


def _add_names(parser: argparse.ArgumentParser, otherwise: str) -> None:
    parser.add_argument(
        "--names", help=f"classes in order: data.yaml, a text, or car,van; without it {otherwise}"
    )


TO_COCO = (
    Topic(
        "visdrone", "VisDrone2019-DET to a COCO file", _visdrone, convert_visdrone, describe_coco
    ),
    Topic("yolo", "YOLO labels to a COCO file", _yolo, convert_yolo, describe_coco),
    Topic("voc", "Pascal VOC to a COCO file", _voc, convert_voc, describe_coco),
)
FROM_COCO = (
    Topic(
        "coco-to-yolo",
        "a COCO file to YOLO labels",
        partial(_coco, output="folder: labels/ and data.yaml"),
        write_yolo,
        list,
    ),
    Topic(
        "coco-to-voc",
        "a COCO file to Pascal VOC",
        partial(_coco, output="folder: Annotations/ and ImageSets/Main/"),
        write_voc,
        list,
    ),
)
