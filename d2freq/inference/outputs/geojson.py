"""GeoJSON: in WGS 84 as RFC 7946 has it, and in the pictures' own reference systems."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from d2freq.inference.detections import PictureResult
from d2freq.inference.outputs.map_features import MapLayer, map_layers
from d2freq.inference.outputs.run_info import RunInfo
from d2freq.utils.files import write_json

__all__ = ["write_geojson"]


def write_geojson(results: Sequence[PictureResult], folder: Path, run: RunInfo) -> list[Path]:
    """GeoJSON of pictures that know their place: detections.geojson, detections_epsg_....geojson.

    The first is in WGS 84 by RFC 7946: longitude, latitude, outlines counterclockwise, cut at the
    antimeridian. The others are in the pictures' own reference system, which GeoJSON of 2008 names
    and QGIS and GDAL read. Both have all digits, where RFC 7946 thinks seven decimals enough.
    Needs pyproj.
    """
    paths = []
    for number, layer in enumerate(map_layers(results, run)):
        name = "detections" if number == 0 else f"detections_{layer.name}"
        head: dict = {"type": "FeatureCollection", "name": name}
        if number:
            head["crs"] = {"type": "name", "properties": {"name": _urn(layer.crs)}}
        features = _features(layer)
        paths.append(write_json(folder / f"{name}.geojson", {**head, "features": features}))
    return paths


def _features(layer: MapLayer) -> list[dict]:
    return [
        {"type": "Feature", "properties": properties, "geometry": _geometry(rings)}
        for rings, properties in zip(layer.outlines, layer.properties, strict=True)
    ]


def _geometry(rings: list[np.ndarray]) -> dict:
    closed = [[np.concatenate([ring, ring[:1]]).tolist()] for ring in rings]
    if len(closed) == 1:
        return {"type": "Polygon", "coordinates": closed[0]}
    return {"type": "MultiPolygon", "coordinates": closed}


def _urn(crs: str) -> str:
    """Of "EPSG:32632" the name urn:ogc:def:crs:EPSG::32632; WKT stays, which GDAL reads, too."""
    authority, _, code = crs.partition(":")
    return f"urn:ogc:def:crs:{authority}::{code}" if code.isalnum() else crs
