"""Topics of ``d2freq convert`` that cut images into tiles: tiles, dota, dotamini10."""

import argparse
from collections.abc import Sequence

from d2freq.commands import Topics
from d2freq.errors import UserError


def _tiles(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="GT.json", help="COCO file of the uncut images")
    parser.add_argument("--images", required=True, help="folder where its file names begin")
    _add_cut(parser, size=[800], overlap=[150], scales=[1.0], min_visible=0.3)
    parser.add_argument("--pad", action="store_true", help="fill smaller images up with black")
    parser.add_argument(
        "--ignore-category", metavar="NAME", help="a class whose boxes are regions to ignore"
    )
    _add_output(parser)
    parser.set_defaults(run=_run_tiles)


def _run_tiles(arguments: argparse.Namespace) -> None:
    from d2freq.data.coco.read import read_coco
    from d2freq.data.tiles.ignored_category import as_regions
    from d2freq.data.tiles.tile_coco import tile_coco

    source = arguments.source
    if arguments.ignore_category:
        source = as_regions(read_coco(source), arguments.ignore_category, name=source)
    options = {"pad": arguments.pad, **_cut(arguments), **_output(arguments)}
    _say(tile_coco(source, arguments.images, arguments.output, **options))


def _dota(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="folder of one split: it holds images and labelTxt")
    parser.add_argument("--version", default="1.0", choices=("1.0", "1.5", "2.0"), help="labels")
    _add_difficult(parser, "ignore")
    _add_cut(parser, size=[1024], overlap=[200], scales=[1.0], min_visible=0.7)
    _add_output(parser)
    parser.set_defaults(run=_run_dota)


def _run_dota(arguments: argparse.Namespace) -> None:
    from d2freq.data.convert.dota import convert_dota

    options = {"version": arguments.version, "difficult": arguments.difficult}
    options |= {**_cut(arguments), **_output(arguments)}
    _say(convert_dota(arguments.source, arguments.output, **options))


def _dotamini10(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="DOTA's folder of one split: it holds images and labelTxt")
    parser.add_argument("--split", required=True, choices=("train", "val"), help="which it is")
    parser.add_argument("--version", default="1.0", choices=("1.0", "1.5", "2.0"), help="labels")
    _add_difficult(parser, "keep")
    parser.add_argument("--scales", type=float, nargs="+", default=[0.5, 1.0], help="of the images")
    parser.add_argument(
        "--min-visible", type=float, default=0.7, help="share of an object below it is ignored"
    )
    parser.add_argument(
        "--copies", type=int, default=1, help="of a tile with a rare class, train only"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the copies")
    parser.add_argument("--keep-empty", action="store_true", help="keep tiles without an object")
    _add_output(parser)
    parser.set_defaults(run=_run_dotamini10)


def _run_dotamini10(arguments: argparse.Namespace) -> None:
    from d2freq.data.convert.dotamini10 import compare, convert_dotamini10

    names = ("split", "version", "difficult", "scales", "min_visible", "copies", "seed")
    options = {name: getattr(arguments, name) for name in (*names, "keep_empty")}
    options |= _output(arguments)
    file = convert_dotamini10(arguments.source, arguments.output, **options)
    _say(file)
    print(compare(file, arguments.split))


def _add_difficult(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--difficult",
        default=default,
        choices=("ignore", "keep"),
        help="objects with this flag: neither trained on nor counted, or as any other",
    )


def _add_cut(
    parser: argparse.ArgumentParser,
    *,
    size: list[int],
    overlap: list[int],
    scales: list[float],
    min_visible: float,
) -> None:
    add = parser.add_argument
    add("--size", type=int, nargs="+", default=size, metavar="PX", help="side, or width height")
    add("--overlap", type=int, nargs="+", default=overlap, metavar="PX", help="of neighbours")
    add("--scales", type=float, nargs="+", default=scales, help="resize before cutting; each once")
    add(
        "--min-visible",
        type=float,
        default=min_visible,
        help="an object of which a tile shows a smaller share is ignored there",
    )
    add("--drop-empty", action="store_true", help="leave out tiles without an object")


def _add_output(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--output", required=True, help="folder: images, annotations.json, originals.json")
    add("--format", default="png", choices=("png", "jpg"), help="of the tiles; png is exact")
    add("--workers", type=int, help="processes; without it one a core")
    add("--overwrite", action="store_true", help="replace other tiles there")


def _cut(arguments: argparse.Namespace) -> dict:
    return {
        "size": _pair(arguments.size, "--size"),
        "overlap": _pair(arguments.overlap, "--overlap"),
        "scales": arguments.scales,
        "min_visible": arguments.min_visible,
        "keep_empty": not arguments.drop_empty,
    }


def _output(arguments: argparse.Namespace) -> dict:
    return {
        "image_format": arguments.format,
        "workers": arguments.workers,
        "overwrite": arguments.overwrite,
    }


def _pair(values: Sequence[int], option: str) -> tuple[int, int]:
    if len(values) > 2:
        raise UserError(f"{option} takes one number, or width and height")
    return values[0], values[-1]


def _say(annotations_json) -> None:
    from d2freq.data.tiles.counts import describe_tiles

    print("\n".join(describe_tiles(annotations_json)))


TOPICS: Topics = {
    "tiles": ("cut any COCO data set into overlapping tiles", _tiles),
    "dota": ("DOTA 1.0, 1.5, 2.0: oriented labels to tiles with COCO boxes", _dota),
    "dotamini10": ("DOTAmini10 from DOTA, by the recipe of HS-FPN", _dotamini10),
}
