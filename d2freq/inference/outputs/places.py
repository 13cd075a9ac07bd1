"""Where boxes lie on the earth: from pixels by a picture's transform, and on to WGS 84.

N boxes, four corners each. Points are (x, y): east or longitude first, whatever order of axes an
authority defines, as GeoJSON and GeoPackage have them.
"""

import numpy as np

from d2freq.errors import UserError
from d2freq.inference.detections import GeoReference, PictureResult
from d2freq.utils.extras import install

__all__ = ["corners_on_earth", "cut_at_antimeridian", "to_wgs84"]

WGS84 = "OGC:CRS84"  # with longitude first by its own definition


def corners_on_earth(result: PictureResult) -> np.ndarray:
    """The corners of each box in the picture's own reference system, (N, 4, 2) float64.

    They go round counterclockwise on the map: left, bottom, right, top in a picture whose north is
    up. A box is no box any more where the transform turns or shears.
    """
    geo = result.picture.geo
    assert geo is not None
    x0, y0, x1, y1 = result.detections.boxes.T
    x, y = np.stack([x0, x0, x1, x1], 1), np.stack([y0, y1, y1, y0], 1)
    a, b, c, d, e, f = geo.transform
    corners = np.stack([a * x + b * y + c, d * x + e * y + f], -1)
    # a transform that does not mirror, as with south up, turns the other way round
    return corners[:, ::-1] if a * e - b * d > 0 else corners


def to_wgs84(result: PictureResult, corners: np.ndarray) -> np.ndarray:
    """``corners`` (N, 4, 2) of ``corners_on_earth`` as longitude and latitude in degrees.

    Raises:
        UserError: pyproj is missing, does not know the reference system, or cannot tell where a
            corner lies.
    """
    picture = result.picture
    assert picture.geo is not None
    transformer = _transformer(picture.geo, picture.name)
    places = np.stack(transformer.transform(corners[..., 0], corners[..., 1]), -1)
    lost = np.flatnonzero(~np.isfinite(places).all((1, 2)))
    if len(lost):
        box = result.detections.boxes[lost[0]].tolist()
        raise UserError(
            f"{picture.path}: the box {box} has no longitude and latitude by "
            f"{picture.geo.crs[:60]}; correct the file's reference system or transform "
            "(gdal_edit.py -a_srs, -a_ullr)"
        )
    # a picture in degrees may go on beyond 180, which the transformer leaves as it is
    places[..., 0] = np.where(np.abs(places[..., 0]) > 180, _wrapped(places), places[..., 0])
    return places


def _wrapped(places: np.ndarray) -> np.ndarray:
    return (places[..., 0] + 180) % 360 - 180


def _transformer(geo: GeoReference, name: str):
    try:
        from pyproj import Transformer
        from pyproj.exceptions import ProjError
    except ImportError as error:
        raise UserError(
            f"maps need pyproj: {install('geo')}, or leave out geojson, geopackage"
        ) from error
    try:
        return Transformer.from_crs(geo.crs, WGS84, always_xy=True)
    except ProjError as error:
        raise UserError(
            f"{name}: its reference system {geo.crs[:60]!r} is unknown to pyproj; give the file "
            "another (gdal_edit.py -a_srs EPSG:...)"
        ) from error


def cut_at_antimeridian(ring: np.ndarray) -> list[np.ndarray]:
    """A ring (4, 2) of longitude and latitude as rings that do not cross 180 degrees east.

    Of two points more than half the globe apart the short way is meant, so that what lies across
    becomes two rings, one on each side (RFC 7946, 3.1.9). Around a pole there is no short way.
    """
    if np.ptp(ring[:, 0]) <= 180:
        return [ring]
    whole = np.where(ring[:, :1] < 0, ring + [360, 0], ring)
    west, east = _half(whole, 1), _half(whole, -1) - [360, 0]
    return [part for part in (west, east) if len(part) > 2]


def _half(ring: np.ndarray, side: int) -> np.ndarray:
    """What of a convex ring lies before 180 degrees (``side`` 1), or beyond (-1)."""
    points = []
    for start, end in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        before, after = side * (180 - start[0]), side * (180 - end[0])
        if before >= 0:
            points.append(start)
        if before * after < 0:
            points.append(start + (end - start) * before / (before - after))
            points[-1][0] = 180.0
    return np.array(points).reshape(-1, 2)
