"""Detections as features of maps: their outlines and what is said of them, by reference system."""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from d2freq.inference.detections import PictureResult
from d2freq.inference.outputs.places import corners_on_earth, cut_at_antimeridian, to_wgs84
from d2freq.inference.outputs.run_info import RunInfo

__all__ = ["MapLayer", "map_layers", "tell_of_unplaced"]

logger = logging.getLogger(__name__)

WGS84_NAME = "wgs84"


@dataclass(frozen=True)
class MapLayer:
    """The detections of a run in one reference system.

    Attributes:
        name: fit for a file or a table: "wgs84", "epsg_32632".
        crs: as of GeoReference; "OGC:CRS84" for WGS 84.
        outlines: of each detection the rings that it consists of, (4 or more, 2) each, not closed;
            two where it lies across the antimeridian.
        properties: of each detection.
    """

    name: str
    crs: str
    outlines: list[list[np.ndarray]]
    properties: list[dict[str, Any]]


def map_layers(results: Sequence[PictureResult], run: RunInfo) -> list[MapLayer]:
    """WGS 84 first, then each reference system that a picture has; none where none has one.

    Raises:
        UserError: see ``to_wgs84``.
    """
    placed = [r for r in results if not r.failure and r.picture.geo is not None]
    own: dict[str, MapLayer] = {}
    world = MapLayer(WGS84_NAME, "OGC:CRS84", [], [])
    for result in placed:
        assert result.picture.geo is not None
        crs = result.picture.geo.crs
        if crs not in own:
            own[crs] = MapLayer(_layer_name(crs, own), crs, [], [])
        corners, said = corners_on_earth(result), list(_properties(result, run))
        own[crs].outlines.extend([ring] for ring in corners)
        own[crs].properties.extend(said)
        world.outlines.extend(map(cut_at_antimeridian, to_wgs84(result, corners)))
        world.properties.extend(said)
    return [world, *own.values()] if placed else []


def tell_of_unplaced(results: Sequence[PictureResult]) -> None:
    """Say in one line how many pictures are on no map, as they do not say where they lie."""
    searched = [result for result in results if not result.failure]
    lost = [result.picture.name for result in searched if result.picture.geo is None]
    if lost:
        logger.warning(
            "%d of %d pictures do not say where they lie, as %s: they are not on the maps",
            *(len(lost), len(searched), lost[0]),
        )


def _layer_name(crs: str, others: dict[str, MapLayer]) -> str:
    """Of a code such as "epsg_32632"; "local", "local_2" and so on of WKT."""
    taken = {layer.name for layer in others.values()}
    code = re.fullmatch(r"(\w+):(\w+)", crs)
    name = base = f"{code[1]}_{code[2]}".lower() if code else "local"
    number = 1
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    return name


def _properties(result: PictureResult, run: RunInfo) -> Iterator[dict[str, Any]]:
    found = result.detections
    columns = (found.boxes.tolist(), found.scores.tolist(), found.classes.tolist())
    for (x0, y0, x1, y1), score, kind in zip(*columns, strict=True):
        yield {
            "class": run.names[kind],
            "score": score,
            "category_id": run.ids[kind],
            "picture": result.picture.name,
            "x": x0,
            "y": y0,
            "width": x1 - x0,
            "height": y1 - y0,
        }
