"""Topics of ``d2freq convert`` that cut images into tiles: tinyperson, tiles, dota, dotamini10."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from d2freq.commands import options
from d2freq.commands.topics import Topic
from d2freq.errors import UserError
from d2freq.utils.late import Later

__all__ = ["TOPICS"]

describe_tiles = Later("d2freq.data.tiles.counts", "describe_tiles")

FOLDER = "folder: images, annotations.json, originals.json"


def _tinyperson(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("source", metavar="SOURCE.json", help="tiny_set_train.json, rgb_train.json, ...")
    add("--images", required=True, help="folder where its file names begin")
    options.add(parser, "--output", help=FOLDER)
    add("--train", action="store_true", help="erase what is to be ignored from the images")
    add("--size", type=int, nargs=2, default=[640, 512], metavar="PX", help="width height")
    add("--overlap", type=int, default=100, metavar="PX", help="of neighbouring tiles")
    add("--keep-dense", action="store_true", help="keep the images marked as dense")
    options.add(parser, "--workers", "--overwrite")


def _tiles(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="GT.json", help="COCO file of the uncut images")
    parser.add_argument("--images", required=True, help="folder where its file names begin")
    _add_cut(parser, size=[800], overlap=[150], min_visible=0.3)
    parser.add_argument("--pad", action="store_true", help="fill smaller images up with black")
    parser.add_argument(
        "--ignore-category", metavar="NAME", help="a class whose boxes are regions to ignore"
    )
    _add_output(parser)


def _cut_coco(source: str, images: str, output: str, *, ignore_category: str, **given: Any) -> Path:
    from d2freq.data.coco.read import read_coco
    from d2freq.data.tiles.ignored_category import as_regions
    from d2freq.data.tiles.tile_coco import tile_coco

    coco: Any = source
    if ignore_category:
        coco = as_regions(read_coco(source), ignore_category, name=source)
    return tile_coco(coco, images, output, **given)


def _dota(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="folder of one split: it holds images and labelTxt")
    _add_labels(parser, difficult="ignore")
    _dota_of_test(parser)
    _add_cut(parser, size=[1024], overlap=[200], min_visible=0.7)
    _add_output(parser)


def _dota_of_test(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--no-labels",
        dest="labels",
        action="store_false",
        help="images alone, as of the test sets, whose labels are not published",
    )


def _dotamini10(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="DOTA's folder of one split: it holds images and labelTxt")
    parser.add_argument("--split", required=True, choices=("train", "val"), help="which it is")
    _add_labels(parser, difficult="keep")
    parser.add_argument("--scales", type=float, nargs="+", default=[0.5, 1.0], help="of the images")
    parser.add_argument(
        "--min-visible", type=float, default=0.7, help="share of an object below it is ignored"
    )
    parser.add_argument(
        "--copies", type=int, default=1, help="of a tile with a rare class, train only"
    )
    options.add(parser, "--seed", help="of the copies")
    parser.add_argument("--keep-empty", action="store_true", help="keep tiles without an object")
    _add_output(parser)


def _cut_dotamini10(source: str, output: str, *, split: str, **given: Any) -> list[str]:
    from d2freq.data.convert.dotamini10 import compare, convert_dotamini10

    file = convert_dotamini10(source, output, split=split, **given)
    return [*describe_tiles(file), compare(file, split)]


def _add_labels(parser: argparse.ArgumentParser, *, difficult: str) -> None:
    parser.add_argument("--version", default="1.0", choices=("1.0", "1.5", "2.0"), help="labels")
    parser.add_argument(
        "--difficult",
        default=difficult,
        choices=("ignore", "keep"),
        help="objects with this flag: neither trained on nor counted, or as any other",
    )


def _add_cut(
    parser: argparse.ArgumentParser, *, size: list[int], overlap: list[int], min_visible: float
) -> None:
    add = parser.add_argument
    add("--size", type=int, nargs="+", default=size, metavar="PX", help="side, or width height")
    add("--overlap", type=int, nargs="+", default=overlap, metavar="PX", help="of neighbours")
    add("--scales", type=float, nargs="+", default=[1.0], help="resize before cutting; each once")
    add(
        "--min-visible",
        type=float,
        default=min_visible,
        help="an object of which a tile shows a smaller share is ignored there",
    )
    add(
        "--drop-empty",
        dest="keep_empty",
        action="store_false",
        help="leave out tiles without an object",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    options.add(parser, "--output", help=FOLDER)
    parser.add_argument(
        "--format",
        dest="image_format",
        default="png",
        choices=("png", "jpg"),
        help="of the tiles; png is exact",
    )
    options.add(parser, "--workers", "--overwrite")


def _pair(values: Sequence[int], option: str) -> tuple[int, int]:
    if len(values) > 2:
        raise UserError(f"{option} takes one number, or width and height")
    return values[0], values[-1]


PAIRS = {name: partial(_pair, option=f"--{name}") for name in ("size", "overlap")}
TOPICS = (
    Topic(
        "tinyperson",
        "TinyPerson or SeaPerson to tiles with COCO boxes",
        _tinyperson,
        Later("d2freq.data.convert.tinyperson", "convert_tinyperson"),
        show=describe_tiles,
    ),
    Topic(
        "tiles",
        "cut any COCO data set into overlapping tiles",
        _tiles,
        _cut_coco,
        show=describe_tiles,
        words=PAIRS,
    ),
    Topic(
        "dota",
        "DOTA 1.0, 1.5, 2.0: oriented labels to tiles with COCO boxes",
        _dota,
        Later("d2freq.data.convert.dota", "convert_dota"),
        show=describe_tiles,
        words=PAIRS,
    ),
    Topic(
        "dotamini10",
        "DOTAmini10 from DOTA, by the recipe of HS-FPN",
        _dotamini10,
        _cut_dotamini10,
        show=list,
    ),
)
