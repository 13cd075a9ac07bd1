"""GeoPackage: one file with a layer in WGS 84 and one in each picture's own reference system."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from d2freq.errors import UserError
from d2freq.inference.detections import PictureResult
from d2freq.inference.outputs.map_features import MapLayer, map_layers
from d2freq.inference.outputs.run_info import RunInfo
from d2freq.utils.extras import install
from d2freq.utils.files import replacing

__all__ = ["write_geopackage"]

GEOPACKAGE_FILE = "detections.gpkg"


def write_geopackage(results: Sequence[PictureResult], folder: Path, run: RunInfo) -> list[Path]:
    """GeoPackage of pictures that know their place, detections.gpkg, for QGIS and other GIS.

    The layer wgs84 has all of them, and one for each reference system, as epsg_32632, those of its
    pictures. Needs geopandas.
    """
    layers = map_layers(results, run)
    if not layers:
        return []
    path = folder / GEOPACKAGE_FILE
    with replacing(path) as draft:
        # GDAL goes by the ending; the draft's own is another
        other = draft.with_suffix(".gpkg")
        try:
            frames = {layer.name: _frame(layer) for layer in layers}
            with _same_date():
                for name, frame in frames.items():
                    frame.to_file(other, layer=name, driver="GPKG", engine="pyogrio")
            other.replace(draft)
        finally:
            other.unlink(missing_ok=True)
    return [path]


@contextmanager
def _same_date() -> Iterator[None]:
    """The same detections make the same bytes: the file's own date of change is a fixed one."""
    import pyogrio

    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z"})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})


def _frame(layer: MapLayer):
    try:
        import geopandas
        from shapely import MultiPolygon, Polygon
    except ImportError as error:
        raise UserError(
            f"a GeoPackage needs geopandas: {install('geo')}, or leave it out"
        ) from error

    shapes = [
        Polygon(rings[0]) if len(rings) == 1 else MultiPolygon([(ring, []) for ring in rings])
        for rings in layer.outlines
    ]
    columns = {
        key: [properties[key] for properties in layer.properties]
        for key in (layer.properties[0] if layer.properties else ())
    }
    # GeoPackage itself stores EPSG:4326 with longitude first
    crs = "EPSG:4326" if layer.name == "wgs84" else layer.crs
    return geopandas.GeoDataFrame(columns, geometry=shapes, crs=crs)
