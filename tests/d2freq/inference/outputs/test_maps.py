"""GeoJSON and GeoPackage, opened by geopandas and fiona, to 1e-6 of a pixel."""

import json
import sys
import time

import numpy as np
import pytest

from d2freq.errors import UserError
from d2freq.inference.detections import GeoReference, PictureResult
from d2freq.inference.outputs import RunInfo, write_outputs

from ..cases import NAMES, found, picture

pytest.importorskip("pyproj", reason="maps need the extra geo")
geopandas = pytest.importorskip("geopandas", reason="maps need the extra geo")

ANGLE = np.radians(30)
COS, SIN = 0.3 * np.cos(ANGLE), 0.3 * np.sin(ANGLE)
# pixels of 0.3 m, turned by 30 degrees, in UTM zone 32 north
TURNED = (COS, SIN, 691_000.25, SIN, -COS, 5_334_000.75)
ROWS = ((100.25, 40.5, 112.75, 52, 0.9, 0), (3, 4, 5, 6, 0.4, 1))


def placed(crs: str, transform: tuple, name: str = "a.tif", number: int = 1, rows=ROWS):
    geo = GeoReference(crs, transform)
    return PictureResult(picture(name, number, (1000, 800), geo=geo), found(*rows))


def write(results, folder, *formats):
    return write_outputs(results, folder, RunInfo(NAMES), formats or ("geojson", "geopackage"))


def to_pixels(points, transform) -> np.ndarray:
    a, b, c, d, e, f = transform
    return np.linalg.solve([[a, b], [d, e]], (np.asarray(points) - (c, f)).T).T


def assert_box(points, transform, row) -> None:
    pixels = to_pixels(points, transform)
    x0, y0, x1, y1 = row[:4]
    wanted = [(x0, y0), (x0, y1), (x1, y0), (x1, y1)]
    assert sorted(map(tuple, pixels.round(7).tolist())) == [
        pytest.approx(corner, abs=1e-6) for corner in wanted
    ]


def test_own_reference_system_to_a_millionth_of_a_pixel(tmp_path):
    fiona = pytest.importorskip("fiona", reason="a second reader of maps")
    paths = write([placed("EPSG:32632", TURNED)], tmp_path)
    assert [path.name for path in paths] == [
        *("detections.geojson", "detections_epsg_32632.geojson", "detections.gpkg")
    ]
    for path, layer in ((paths[1], None), (paths[2], "epsg_32632")):
        frame = geopandas.read_file(path, layer=layer)
        assert frame.crs.to_epsg() == 32632
        with fiona.open(path, layer=layer) as file:
            assert file.crs.to_epsg() == 32632
            others = [feature.geometry.coordinates[0][:4] for feature in file]
        for shape, other, row in zip(frame.geometry, others, ROWS, strict=True):
            assert_box(list(shape.exterior.coords)[:4], TURNED, row)
            assert_box(other, TURNED, row)
            assert shape.exterior.is_ccw
        assert frame["class"].tolist() == ["ship", "person"]
        assert frame["score"].tolist() == [0.9, 0.4] and frame["width"][0] == 12.5


def test_wgs84_to_a_millionth_of_a_pixel_longitude_first(tmp_path):
    from pyproj import Transformer

    paths = write([placed("EPSG:32632", TURNED)], tmp_path)
    back = Transformer.from_crs("EPSG:4326", "EPSG:32632", always_xy=True)
    for path, layer in ((paths[0], None), (paths[2], "wgs84")):
        frame = geopandas.read_file(path, layer=layer)
        assert frame.crs.to_epsg() == 4326
        for shape, row in zip(frame.geometry, ROWS, strict=True):
            lon, lat = np.array(shape.exterior.coords)[:4].T
            assert 11 < lon.min() < lon.max() < 12 and 48 < lat.min() < 49  # Munich
            assert_box(np.stack(back.transform(lon, lat), 1), TURNED, row)
            assert shape.exterior.is_ccw


def test_authorities_whose_axes_begin_with_north(tmp_path):
    """EPSG:4326 and EPSG:31468 define north first; the transform gives east first all the same."""
    degrees = (1e-5, 0, 11.5, 0, -1e-5, 48.1)
    gauss = (0.3, 0, 4_468_000, 0, -0.3, 5_334_000)
    results = [placed("EPSG:4326", degrees), placed("EPSG:31468", gauss, "b.tif", 2)]
    frame = geopandas.read_file(write(results, tmp_path, "geojson")[0])
    for shape in frame.geometry:
        assert 11 < shape.centroid.x < 12 and 48 < shape.centroid.y < 49


def test_rfc_7946_has_no_crs_and_closed_outlines(tmp_path):
    south_up = (1e-5, 0, 11.5, 0, 1e-5, 48.1)  # the transform mirrors nothing
    data = json.loads(write([placed("EPSG:4326", south_up)], tmp_path)[0].read_text())
    assert "crs" not in data and data["type"] == "FeatureCollection"
    for feature in data["features"]:
        (ring,) = feature["geometry"]["coordinates"]
        assert len(ring) == 5 and ring[0] == ring[-1]
        x, y = np.array(ring).T
        assert np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) > 0  # counterclockwise


def test_outlines_across_the_antimeridian_are_cut(tmp_path):
    step = 1e-3
    results = [
        placed("EPSG:4326", (step, 0, 179.99, 0, -step, -17), rows=((5, 5, 25, 15, 0.9, 0),))
    ]
    for crs_of_picture, result in (("EPSG:4326", results[0]), ("EPSG:3832", _pacific())):
        data = json.loads(write([result], tmp_path / crs_of_picture[5:])[0].read_text())
        geometry = data["features"][0]["geometry"]
        assert geometry["type"] == "MultiPolygon"
        (west,), (east,) = (np.array(polygon) for polygon in geometry["coordinates"])
        assert west[:, 0].max() == 180 and east[:, 0].min() == -180
        assert west[:, 0].min() == pytest.approx(179.995) and east[:, 0].max() == pytest.approx(
            -179.985
        )
        for ring in (west, east):
            x, y = ring.T
            assert np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) > 0


def _pacific() -> PictureResult:
    """The same box in a Mercator projection around 150 degrees east, without a seam at 180."""
    from pyproj import Transformer

    move = Transformer.from_crs("EPSG:4326", "EPSG:3832", always_xy=True)
    (left, right), (top, bottom) = move.transform([179.995, 180.015], [-17.005, -17.015])
    transform = ((right - left) / 20, 0, left, 0, (bottom - top) / 10, top)
    return placed("EPSG:3832", transform, rows=((0, 0, 20, 10, 0.9, 0),))


def test_several_systems_have_a_layer_each(tmp_path):
    results = [
        placed("EPSG:32632", TURNED),
        placed("EPSG:32633", TURNED, "b.tif", 2),
        placed(LOCAL, TURNED, "c.tif", 3),
    ]
    paths = write(results, tmp_path)
    names = geopandas.list_layers(paths[-1])["name"].tolist()
    assert names == ["wgs84", "epsg_32632", "epsg_32633", "local"]
    assert [len(geopandas.read_file(paths[-1], layer=name)) for name in names] == [6, 2, 2, 2]
    local = geopandas.read_file(tmp_path / "detections_local.geojson")
    assert "central_meridian" in local.crs.to_wkt("WKT1_GDAL")
    assert_box(np.array(local.geometry[0].exterior.coords)[:4], TURNED, ROWS[0])


# a transverse Mercator of one's own
LOCAL = (
    'PROJCS["site",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",9.1],'
    'PARAMETER["scale_factor",1],PARAMETER["false_easting",500000],'
    'PARAMETER["false_northing",0],UNIT["metre",1]]'
)


def test_pictures_without_a_place_are_told_once(tmp_path, caplog):
    plain = [PictureResult(picture(f"{n}.png", n), found(*ROWS)) for n in (2, 3)]
    paths = write([placed("EPSG:32632", TURNED), *plain], tmp_path)
    assert len(json.loads(paths[0].read_text())["features"]) == 2
    assert [record.message for record in caplog.records] == [
        "2 of 3 pictures do not say where they lie, as 2.png: they are not on the maps"
    ]
    assert write(plain, tmp_path / "none") == [] and not (tmp_path / "none").exists()


def test_nothing_found_is_an_empty_map(tmp_path):
    paths = write([placed("EPSG:32632", TURNED, rows=())], tmp_path)
    assert all(len(geopandas.read_file(path)) == 0 for path in paths[:2])
    assert len(geopandas.read_file(paths[2], layer="wgs84")) == 0


def test_the_same_detections_make_the_same_bytes(tmp_path):
    results = [placed("EPSG:32632", TURNED)]
    first = [path.read_bytes() for path in write(results, tmp_path)]
    time.sleep(0.01)  # a GeoPackage notes milliseconds
    assert first == [path.read_bytes() for path in write(results, tmp_path)]


@pytest.mark.parametrize(
    ("crs", "transform", "message"),
    [
        ("EPSG:1", TURNED, "a.tif: its reference system 'EPSG:1' is unknown to pyproj"),
        ("EPSG:32632", (1e9, 0, 0, 0, 1e9, 0), "a.tif: the box .* has no longitude and latitude"),
    ],
)
def test_places_that_are_none(tmp_path, crs, transform, message):
    with pytest.raises(UserError, match=message):
        write([placed(crs, transform)], tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("library", "name"), [("pyproj", "geojson"), ("geopandas", "geopackage")])
def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch, library, name):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UserError, match=rf'{library}: pip install "d2freq\[geo\]"'):
        write([placed("EPSG:32632", TURNED)], tmp_path, name)
    assert not [path for path in tmp_path.iterdir() if path.is_file()]
