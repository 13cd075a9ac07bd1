"""What a tiled data set holds, and what was left out of it: counted when it is cut, told after."""

import os
from collections.abc import Sequence

from d2freq.data.coco.faults_of_records import count_regions
from d2freq.data.coco.read import read_coco
from d2freq.errors import DatasetError


def count_tiles(data: dict, results: Sequence[dict], annotations: Sequence[dict]) -> dict:
    """What was cut and left out, for ``info["counts"]``.

    Args:
        data: the originals' COCO content.
        results: what cut_image returned, an image each.
        annotations: those of all tiles.
    """
    tiles = [tile["record"] for result in results for tile in result["tiles"]]
    crowd = {a["id"] for a in data["annotations"] if a["iscrowd"]}
    solid = {a["original_id"] for a in annotations if not a["iscrowd"]}
    cut = [a for a in annotations if "visible" in a]
    hardly = [a for a in cut if a["iscrowd"] and a["original_id"] not in crowd]
    return {
        "originals": len(data["images"]),
        "tiles": sum("tile" in tile for tile in tiles),
        "copies": sum("copy" in tile for tile in tiles),
        "boxes": len(annotations) - sum(a["iscrowd"] for a in annotations),
        "ignored": sum(a["iscrowd"] for a in annotations),
        "cut": len(cut),
        "hardly_visible": len(hardly),
        "without_objects_left_out": sum(result["empty"] for result in results),
        "only_ignored": len({a["id"] for a in data["annotations"]} - crowd - solid),
        "masks_left_out": sum(result["masks_left_out"] for result in results),
    }


def describe_tiles(annotations_json: str | os.PathLike) -> list[str]:
    """What a tiled data set holds and what was left out, a line each."""
    data = read_coco(annotations_json)
    if "counts" not in data.get("info", {}):
        raise DatasetError(f"{annotations_json}: written by no 'd2freq convert'; it has no counts")
    counts = data["info"]["counts"]
    names = {c["id"]: c["name"] for c in data["categories"]}
    solid = [names[a["category_id"]] for a in data["annotations"] if not a["iscrowd"]]
    regions = count_regions(data["images"])
    lines = [
        f"{annotations_json}: {counts['tiles']} tiles and {counts['copies']} copies of "
        f"{counts['originals']} images, {len(solid)} boxes, {counts['ignored']} ignored "
        f"boxes, {regions} ignore regions",
        f"  {counts['cut']} boxes cut by a tile's edge, {counts['hardly_visible']} of them ignored "
        f"as less than {data['info']['tiles']['min_visible']:g} of their area is seen",
    ]
    notes = {
        "without_objects_left_out": "tiles left out: no object that counts",
        "only_ignored": "objects counted in no tile: too little of them is in any",
        "masks_left_out": "masks left out of the tiles: no polygons, or another shape than the box",
        "faulty_boxes_left_out": "boxes left out: empty, negative or outside of their image",
    }
    lines += [f"  {counts[key]} {text}" for key, text in notes.items() if counts[key]]
    lines += [f"  {solid.count(name):>9} {name}" for name in names.values()]
    return lines + [f"  {n} {text}" for text, n in data["info"].get("notes", {}).items()]
