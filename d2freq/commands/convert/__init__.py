"""``d2freq convert``: from the format in which a data set is published to COCO, and back."""

import argparse
import sys
from collections.abc import Callable
from functools import partial

from d2freq.commands import Topics, add_topics
from d2freq.commands.convert.tiles import TOPICS as TILES

SUMMARY = "convert data sets to COCO files, whole or in tiles, and back"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What can be converted."""
    topics: Topics = {
        name: (text, partial(_add_topic, add)) for name, (text, add) in TOPICS.items()
    }
    add_topics(command, topics)


def _add_topic(add: Callable, parser: argparse.ArgumentParser) -> None:
    add(parser)
    parser.set_defaults(run=partial(_list_failures, parser.get_default("run")))


def _list_failures(run: Callable, arguments: argparse.Namespace) -> None:
    """Name every file that failed; the error itself, shown after them, names three."""
    from d2freq.utils.jobs import FailedItems

    try:
        return run(arguments)
    except FailedItems as error:
        for failure in error.failures:
            print(failure, file=sys.stderr)
        raise


def _visdrone(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="unpacked VisDrone2019-DET-train, -val or -test-dev")
    _add_output(parser)
    parser.set_defaults(run=_run_visdrone)


def _run_visdrone(arguments: argparse.Namespace) -> None:
    from d2freq.data.convert.visdrone import convert_visdrone

    _say(convert_visdrone(arguments.source, arguments.output, workers=arguments.workers))


def _yolo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="folder with images and labels")
    parser.add_argument("--split", default="", help="folder in both: train; without it all")
    _add_names(parser, "the data.yaml or classes.txt in SOURCE or above it")
    _add_output(parser)
    parser.set_defaults(run=_run_yolo)


def _run_yolo(arguments: argparse.Namespace) -> None:
    from d2freq.data.convert.yolo import convert_yolo

    options = {name: getattr(arguments, name) for name in ("split", "names", "workers")}
    _say(convert_yolo(arguments.source, arguments.output, **options))


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
    parser.set_defaults(run=_run_voc)


def _run_voc(arguments: argparse.Namespace) -> None:
    from d2freq.data.convert.voc import convert_voc

    options = {k: getattr(arguments, k) for k in ("split", "names", "one_based", "workers")}
    _say(convert_voc(arguments.source, arguments.output, **options))


def _tinyperson(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("source", metavar="SOURCE.json", help="tiny_set_train.json, rgb_train.json, ...")
    add("--images", required=True, help="folder where its file names begin")
    add("--output", required=True, help="folder: images, annotations.json, originals.json")
    add("--train", action="store_true", help="erase what is to be ignored from the images")
    add("--size", type=int, nargs=2, default=[640, 512], metavar="PX", help="width height")
    add("--overlap", type=int, default=100, metavar="PX", help="of neighbouring tiles")
    add("--keep-dense", action="store_true", help="keep the images marked as dense")
    add("--workers", type=int, help="processes; without it one a core")
    add("--overwrite", action="store_true", help="replace other tiles there")
    parser.set_defaults(run=_run_tinyperson)


def _run_tinyperson(arguments: argparse.Namespace) -> None:
    from d2freq.data.convert.tinyperson import convert_tinyperson
    from d2freq.data.tiles.counts import describe_tiles

    names = ("train", "size", "overlap", "keep_dense", "workers", "overwrite")
    options = {name: getattr(arguments, name) for name in names}
    file = convert_tinyperson(arguments.source, arguments.images, arguments.output, **options)
    print("\n".join(describe_tiles(file)))


def _coco_to_yolo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="GT.json", help="COCO file")
    parser.add_argument("--output", required=True, help="folder: labels/ and data.yaml")
    parser.set_defaults(run=_run_coco_to_yolo)


def _run_coco_to_yolo(arguments: argparse.Namespace) -> None:
    from d2freq.data.convert.coco_to_yolo import write_yolo

    print("\n".join(write_yolo(arguments.source, arguments.output)))


def _coco_to_voc(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="GT.json", help="COCO file")
    parser.add_argument("--output", required=True, help="folder: Annotations/ and ImageSets/Main/")
    parser.set_defaults(run=_run_coco_to_voc)


def _run_coco_to_voc(arguments: argparse.Namespace) -> None:
    from d2freq.data.convert.coco_to_voc import write_voc

    print("\n".join(write_voc(arguments.source, arguments.output)))


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", required=True, metavar="FILE.json", help="COCO file to write")
    parser.add_argument("--workers", type=int, help="processes; without it one a core")


def _add_names(parser: argparse.ArgumentParser, otherwise: str) -> None:
    parser.add_argument(
        "--names", help=f"classes in order: data.yaml, a text, or car,van; without it {otherwise}"
    )


def _say(json_file) -> None:
    from d2freq.data.convert.images_to_coco import describe_coco

    print("\n".join(describe_coco(json_file)))


TOPICS: Topics = {
    "visdrone": ("VisDrone2019-DET to a COCO file", _visdrone),
    "yolo": ("YOLO labels to a COCO file", _yolo),
    "voc": ("Pascal VOC to a COCO file", _voc),
    "tinyperson": ("TinyPerson or SeaPerson to tiles with COCO boxes", _tinyperson),
    **TILES,
    "coco-to-yolo": ("a COCO file to YOLO labels", _coco_to_yolo),
    "coco-to-voc": ("a COCO file to Pascal VOC", _coco_to_voc),
}
