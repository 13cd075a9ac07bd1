"""Topics of ``d2freq convert`` that leave the images whole: to a COCO file, and from one."""

import argparse
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from d2freq.commands import options
from d2freq.commands.topics import Topic
from d2freq.utils.late import Later

__all__ = ["FROM_COCO", "TO_COCO"]

describe_coco = Later("d2freq.data.convert.images_to_coco", "describe_coco")


def _visdrone(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="unpacked VisDrone2019-DET-train, -val or -test-dev")
    _add_output(parser)


def _yolo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        help="folder with images and labels, data.yaml, darknet's obj.data, or a list of images",
    )
    parser.add_argument(
        "--split", default="", help="folder in both, or a key of data.yaml: train; without it all"
    )
    parser.add_argument(
        "--rows",
        default="auto",
        choices=("auto", "boxes", "polygons"),
        help="what rows are that have two readings; keypoints are told by kpt_shape in data.yaml",
    )
    _add_names(parser, "the data.yaml or classes.txt in SOURCE or above it")
    _add_output(parser)


def _voc(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", help="folder with Annotations and JPEGImages, or XML beside images"
    )
    parser.add_argument(
        "--split", default="", help="list in ImageSets/Main: train; without it every XML file"
    )
    parser.add_argument(
        "--one-based",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="pixels count from 1 and xmax is the last one, as in VOC; else edges from 0",
    )
    parser.add_argument(
        "--hull",
        action="store_true",
        help="take the box around an object that has a robndbox or a polygon in place of a bndbox",
    )
    parser.add_argument(
        "--xml-offset",
        type=int,
        metavar="N",
        help="the numbers are edges plus N, as SIRST's with 1; takes the place of --one-based",
    )
    _add_names(parser, "the classes found, sorted")
    _add_output(parser)


def _masks(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("source", help="folder of the images")
    add("--masks", required=True, metavar="DIR", help="folder of the masks, of the images' names")
    add("--suffix", default="", help="of a mask's name behind the image's: _mask")
    add(
        "--kind",
        default="binary",
        choices=("binary", "instance", "class"),
        help="an object is: what hangs together; what has one value; what has one value and hangs "
        "together, the value being the class",
    )
    add("--threshold", type=int, metavar="T", help="of binary masks: objects lie above it")
    add("--divisor", type=int, default=0, metavar="D", help="of instance: value // D is the class")
    add("--void", type=int, nargs="+", default=[], metavar="V", help="values that are nothing")
    add("--neighbours", type=int, default=8, choices=(4, 8), help="of a pixel that hang together")
    add("--names", default="object", help="classes in order: a text, or car,van")
    _add_output(parser)


def _soda_a(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="folder of one split's JSON files: Annotations/train")
    parser.add_argument("--images", required=True, metavar="DIR", help="folder of the images")
    _add_output(parser)


def _folder(parser: argparse.ArgumentParser, source: str, output: str) -> None:
    parser.add_argument("source", help=source)
    parser.add_argument("--output", required=True, metavar="DIR", help=output)
    options.add(parser, "--workers")


def _describe_each(files: Iterable[Path]) -> list[str]:
    return [line for file in files for line in describe_coco(file)]


def _coco(parser: argparse.ArgumentParser, output: str) -> None:
    parser.add_argument("json_file", metavar="GT.json", help="COCO file")
    parser.add_argument("--output", required=True, help=output)


def _to_yolo(parser: argparse.ArgumentParser) -> None:
    _coco(parser, "folder: labels/ and data.yaml")
    parser.add_argument(
        "--polygons", action="store_true", help="write polygons where there are some, not boxes"
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", required=True, metavar="FILE.json", help="COCO file to write")
    options.add(parser, "--workers")


def _add_names(parser: argparse.ArgumentParser, otherwise: str) -> None:
    parser.add_argument(
        "--names", help=f"classes in order: data.yaml, a text, or car,van; without it {otherwise}"
    )


def _from(module: str, name: str) -> Later:
    return Later(f"d2freq.data.convert.{module}", name)


TO_COCO = (
    Topic(
        "visdrone",
        "VisDrone2019-DET to a COCO file",
        _visdrone,
        _from("visdrone", "convert_visdrone"),
        describe_coco,
    ),
    Topic(
        "yolo", "YOLO labels to a COCO file", _yolo, _from("yolo", "convert_yolo"), describe_coco
    ),
    Topic("voc", "Pascal VOC to a COCO file", _voc, _from("voc", "convert_voc"), describe_coco),
    Topic(
        "masks",
        "mask pictures to a COCO file",
        _masks,
        _from("masks.convert", "convert_masks"),
        describe_coco,
    ),
    Topic(
        "soda-a", "SODA-A to a COCO file", _soda_a, _from("soda_a", "convert_soda_a"), describe_coco
    ),
    Topic(
        "kit-ais",
        "KIT AIS (vehicles) at half resolution, from its publisher's files",
        partial(
            _folder,
            source="copy of github.com/jekhor/aerial-cars-dataset",
            output="folder: train.json, val.json, images",
        ),
        _from("kit_ais", "convert_kit_ais"),
        _describe_each,
    ),
    Topic(
        "sirst",
        "SIRST version 1 and 2, from its publisher's files",
        partial(
            _folder,
            source="copy of github.com/YimianDai/open-sirst-v2, or of YimianDai/sirst",
            output="folder: train.json, val.json, test.json, v1_train.json ..., images",
        ),
        _from("sirst", "convert_sirst"),
        _describe_each,
    ),
)
FROM_COCO = (
    Topic(
        "coco-to-yolo",
        "a COCO file to YOLO labels",
        _to_yolo,
        _from("coco_to_yolo", "write_yolo"),
        list,
    ),
    Topic(
        "coco-to-voc",
        "a COCO file to Pascal VOC",
        partial(_coco, output="folder: Annotations/ and ImageSets/Main/"),
        _from("coco_to_voc", "write_voc"),
        list,
    ),
)
