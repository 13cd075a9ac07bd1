"""CVAT's own XML, version 1.1: "CVAT for images", and the tracks of "CVAT for video".

A box has edges in pixels, xtl ytl xbr ybr, and perhaps a ``rotation`` clockwise about its centre.
Of a video each frame in which a track is to be seen is an image, by the name that CVAT gives to
frames.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from d2freq.data.convert.recognise import hint, recognise
from d2freq.data.convert.tools import shapes
from d2freq.data.convert.tools.records import Found, Record, convert_records, label_of
from d2freq.errors import UserError
from d2freq.utils.xml import read_xml

FRAME = "frame_{:06d}.PNG"
CURE = ", or say how frames are called, as in --frames 'frame_{:06d}.jpg'"
KINDS_LEFT_OUT = {
    "points": "point",
    "polyline": "line",
    "cuboid": "cuboid",
    "skeleton": "skeleton",
}
DRAWN = ("box", "polygon", "ellipse", "mask", *KINDS_LEFT_OUT)
PLAIN = ("source", "group_id", "z_order")  # keys of a shape that are kept where they say something
SAYS_NOTHING = {"source": "manual", "group_id": "0", "z_order": "0"}


def convert_cvat(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    images: str | None = None,
    names: str | None = None,
    frames: str = FRAME,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the COCO file of CVAT's annotations.xml.

    Polygons, turned boxes and masks stay as ``segmentation``, attributes as ``attributes``,
    ``occluded`` as itself; of videos ``track_id``.

    Args:
        source: annotations.xml, or the folder that holds it.
        images: the folder of the images; without it names and sizes are those of the XML.
        names: as in ``read_names``; without it the labels that the XML declares, in its order.
        frames: of a video, the name of an image for its number, as str.format has it.

    Raises:
        UserError: no XML of CVAT's, or an image twice.
        FailedItems: see ``convert_records``.
    """
    path = Path(source)
    path = path / "annotations.xml" if path.is_dir() else path
    if not path.is_file():
        raise UserError(f"{path}: no such file; CVAT exports annotations.xml{hint(Path(source))}")
    if recognise(path) not in ("", "cvat"):
        raise UserError(f"{path}: no XML of CVAT's{hint(path)}")
    tree = read_xml(path)
    if tree.tag != "annotations" or tree.find("version") is None:
        raise UserError(f"{path}: no XML of CVAT's (annotations with a version){hint(path)}")
    declared = [
        text
        for label in tree.iterfind("meta//labels/label")
        if (text := (label.findtext("name") or "").strip()) and label.find("parent") is None
    ]
    records = [*_images(tree, path), *_frames(tree, path, frames)]
    return convert_records(
        records,
        output,
        read_shapes,
        source=path,
        tool="cvat",
        images=images,
        names=names or list(dict.fromkeys(declared)) or None,
        options={"frames": frames},
        workers=workers,
        progress=progress,
    )


def _images(tree: ElementTree.Element, path: Path) -> Iterator[Record]:
    for image in tree.iterfind("image"):
        name = image.get("name", "")
        place = f"{path}, image {image.get('id')} ({name})"
        drawn = [_plain(child, child.tag) for child in image]
        yield Record(name, place, drawn, _size(image.get("width"), image.get("height")), str(path))


def _frames(tree: ElementTree.Element, path: Path, pattern: str) -> Iterator[Record]:
    """The frames of a video, those without a shape included."""
    tracks = tree.findall("track")
    if not tracks:
        return
    stated = tree.find("meta//original_size")
    size = None if stated is None else _size(stated.findtext("width"), stated.findtext("height"))
    seen: dict[int, list[dict]] = {}
    length = (tree.findtext("meta//task/size") or tree.findtext("meta//job/size") or "0").strip()
    first = (tree.findtext("meta//start_frame") or "0").strip()
    if length.isdigit() and first.isdigit():
        seen = {number: [] for number in range(int(first), int(first) + int(length))}
    for track in tracks:
        for child in track:
            frame = child.get("frame", "")
            if not frame.isdigit():
                raise UserError(
                    f"{path}, track {track.get('id')}: frame {frame!r} is no number; export again, "
                    "or correct it"
                )
            found = seen.setdefault(int(frame), [])
            if child.get("outside") != "1":
                about = {"label": track.get("label", ""), "track_id": track.get("id", "")}
                found.append(_plain(child, child.tag) | about)
    for number in sorted(seen):
        place = f"{path}, frame {number}"
        try:
            name = pattern.format(number)
        except (ValueError, IndexError, KeyError) as error:
            raise UserError(
                f"--frames {pattern!r}: {error}; write the number as in {FRAME!r}"
            ) from error
        spare = not seen[number]
        yield Record(name, place, seen[number], size, str(path), spare=spare, cure=CURE)


def _plain(shape: ElementTree.Element, kind: str) -> dict:
    """A shape without XML, as it can be sent to another process."""
    attributes = {
        attribute.get("name", ""): (attribute.text or "").strip()
        for attribute in shape.iterfind("attribute")
    }
    return {**shape.attrib, "kind": kind, "attributes": attributes}


def _size(width: str | None, height: str | None) -> tuple[int, int] | None:
    if width is None or height is None or not (width.isdigit() and height.isdigit()):
        return None
    return int(width), int(height)


def read_shapes(record: Record, size: tuple[int, int]) -> Found:
    """The objects of one image."""
    notes: Counter[str] = Counter()
    boxes: list[dict] = []
    tags: list[dict] = []
    for number, shape in enumerate(record.content, start=1):
        place, kind = f"{record.place}, shape {number}", shape["kind"]
        if kind == "tag":
            notes[shapes.LEFT_OUT["tag"]] += 1
            tags.append({"label": shape.get("label"), **_attributes(shape)})
            continue
        if kind in KINDS_LEFT_OUT:
            notes[shapes.LEFT_OUT[KINDS_LEFT_OUT[kind]]] += 1
            continue
        if kind not in DRAWN:
            raise UserError(f"{place}: a shape {kind!r}, expected {', '.join(DRAWN)}")
        found = _geometry(shape, kind, size, place, notes)
        if found is not None:
            category = label_of(shape.get("label"), place)
            boxes.append({"category": category, **found, **_about(shape)})
    return Found(boxes, {"tags": tags} if tags else {}, notes)


def _geometry(
    shape: dict, kind: str, size: tuple[int, int], place: str, notes: Counter[str]
) -> dict | None:
    def number(*keys: str) -> list[float]:
        return shapes.numbers([shape.get(key) for key in keys], len(keys), place)

    degrees = number("rotation")[0] if shape.get("rotation") else 0.0
    if kind == "box":
        x0, y0, x1, y1 = number("xtl", "ytl", "xbr", "ybr")
        if not degrees:
            return shapes.rectangle(x0, y0, x1, y1)
        centre = ((x0 + x1) / 2, (y0 + y1) / 2)
        return shapes.turned(x0, y0, x1 - x0, y1 - y0, degrees, centre)
    if kind == "ellipse":
        notes[shapes.ROUND] += 1
        cx, cy, rx, ry = number("cx", "cy", "rx", "ry")
        return shapes.ellipse(cx, cy, rx, ry, degrees)
    if kind == "mask":
        left, top, width, height = (int(v) for v in number("left", "top", "width", "height"))
        runs = shapes.numbers(str(shape.get("rle", "")).split(","), None, place)
        if any(run < 0 or run != int(run) for run in runs) or sum(runs) != width * height:
            raise UserError(
                f"{place}: its run lengths sum to {sum(runs):g}, not to {width} x {height}, or are "
                "no whole numbers from 0 on; export it again"
            )
        inside = np.repeat(np.arange(len(runs)) % 2 == 1, np.array(runs, int))
        return shapes.mask(inside.reshape(height, width), left, top, size)
    pairs = [pair.split(",") for pair in str(shape.get("points", "")).split(";") if pair]
    points = shapes.points(pairs, place)
    notes[shapes.THIN] += len(points) < 3
    return shapes.polygons([points])


def _about(shape: dict) -> dict:
    about = {
        key: shape[key] for key in PLAIN if shape.get(key, SAYS_NOTHING[key]) != SAYS_NOTHING[key]
    }
    occluded = {"occluded": int(shape.get("occluded") == "1")}
    track = {"track_id": shape["track_id"]} if "track_id" in shape else {}
    return {**occluded, **track, **about, **_attributes(shape)}


def _attributes(shape: dict) -> dict:
    return {"attributes": shape["attributes"]} if shape["attributes"] else {}
