"""Topics of ``d2freq convert`` that read the exports of labelling tools."""

import argparse

from d2freq.commands import options
from d2freq.commands.topics import Topic
from d2freq.utils.late import Later

__all__ = ["TOPICS"]

describe_coco = Later("d2freq.data.convert.images_to_coco", "describe_coco")


def _labelme(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="folder of JSON files, or one of them")
    _add_common(parser, "that of the JSON files", "the labels found, sorted")


def _cvat(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="annotations.xml of 'CVAT for images' or 'CVAT for video'")
    parser.add_argument(
        "--frames",
        default="frame_{:06d}.PNG",
        help="of a video: the name of an image for its number",
    )
    _add_common(parser, "names and sizes are those of the XML", "the labels that the XML declares")


def _via(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="via_project.json, via_export_json.json or _csv.csv")
    parser.add_argument(
        "--class-attribute",
        default="",
        metavar="NAME",
        help="attribute of regions that is the class; without it the only one, or a usual name",
    )
    _add_common(parser, "", "the classes found, sorted")


def _createml(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="_annotations.createml.json, or its folder")
    parser.add_argument(
        "--units",
        default="auto",
        choices=("auto", "pixels", "shares"),
        help="of coordinates; auto: shares where no number of the file exceeds 1",
    )
    parser.add_argument(
        "--anchor",
        default="center",
        choices=("center", "topLeft", "bottomLeft"),
        help="point that x, y are",
    )
    parser.add_argument(
        "--origin", default="topLeft", choices=("topLeft", "bottomLeft"), help="where y counts from"
    )
    _add_common(parser, "that of the JSON file", "the labels found, sorted")


def _label_studio(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="export as JSON or JSON_MIN")
    _add_common(parser, "names and sizes are those of the export", "the labels found, sorted")


def _add_common(parser: argparse.ArgumentParser, images: str, names: str) -> None:
    parser.add_argument(
        "--images",
        metavar="DIR",
        required=not images,
        help="folder of the images" + (f"; without it {images}" if images else ""),
    )
    parser.add_argument(
        "--names", help=f"classes in order: data.yaml, a text, or car,van; without it {names}"
    )
    parser.add_argument("--output", required=True, metavar="FILE.json", help="COCO file to write")
    options.add(parser, "--workers")


def _from(module: str, name: str) -> Later:
    return Later(f"d2freq.data.convert.tools.{module}", name)


TOPICS = (
    Topic(
        "labelme",
        "labelme's JSON to a COCO file",
        _labelme,
        _from("labelme", "convert_labelme"),
        describe_coco,
    ),
    Topic("cvat", "CVAT's XML to a COCO file", _cvat, _from("cvat", "convert_cvat"), describe_coco),
    Topic(
        "via",
        "VGG Image Annotator to a COCO file",
        _via,
        _from("via", "convert_via"),
        describe_coco,
    ),
    Topic(
        "createml",
        "CreateML's JSON to a COCO file",
        _createml,
        _from("createml", "convert_createml"),
        describe_coco,
    ),
    Topic(
        "labelstudio",
        "Label Studio's JSON to a COCO file",
        _label_studio,
        _from("label_studio", "convert_label_studio"),
        describe_coco,
    ),
)
