"""The commands that tile: their defaults are those of the functions, their wishes are checked."""

import argparse
import inspect
import json

import numpy as np
import pytest
from PIL import Image

from d2freq.cli import build_parser
from d2freq.data.convert.dota import convert_dota
from d2freq.data.convert.dotamini10 import convert_dotamini10
from d2freq.data.tiles.ignored_category import as_regions
from d2freq.data.tiles.tile_coco import tile_coco
from d2freq.errors import DatasetError, UserError

from ..coco_cases import coco


def parse(topic: str, *words: str) -> argparse.Namespace:
    return build_parser().parse_args(["convert", topic, *words])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": (0, 9)}, "at least one pixel"),
        ({"overlap": (1024, 0)}, "overlap 1024 of tiles of 1024"),
        ({"scales": (1.0, 1.0)}, "each scale once"),
        ({"scales": ()}, "at least one"),
        ({"scales": (-1.0,)}, "above 0"),
        ({"min_visible": 1.5}, "from 0 to 1"),
        ({"image_format": "gif"}, "png, jpg"),
    ],
)
def test_impossible_wishes_are_refused(tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        tile_coco({}, tmp_path, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("topic", "words", "function"),
    [
        ("dota", ["in", "--output", "out"], convert_dota),
        ("dotamini10", ["in", "--output", "out", "--split", "val"], convert_dotamini10),
    ],
)
def test_commands_and_functions_have_the_same_defaults(topic, words, function):
    arguments = vars(parse(topic, *words))
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.default is inspect.Parameter.empty or name not in arguments:
            continue
        found, wanted = arguments[name], parameter.default
        if isinstance(wanted, tuple):
            wanted = list(wanted)
            found = found * len(wanted) if len(found) == 1 else found
        assert found == wanted, name


def test_tiles_command_writes_and_says_what_it_wrote(tmp_path, capsys):
    """SODA-D's published grid, and its class of objects to ignore."""
    Image.fromarray(np.zeros((900, 1500, 3), np.uint8)).save(tmp_path / "1.png")
    boxes = [dict(bbox=[10, 10, 10, 10]), dict(bbox=[700, 20, 100, 50], category_id=10)]
    data = coco(boxes, kinds={1: "people", 10: "ignore"}, size=(1500, 900))
    (tmp_path / "gt.json").write_text(json.dumps(data))
    words = [str(tmp_path / "gt.json"), "--images", str(tmp_path), "--ignore-category", "ignore"]
    arguments = parse("tiles", *words, "--output", str(tmp_path / "out"), "--workers", "1")
    arguments.run(arguments)
    assert (
        "6 tiles and 0 copies of 1 images, 1 boxes, 0 ignored boxes, 3 ignore"
        in capsys.readouterr().out
    )
    tiles = json.loads((tmp_path / "out" / "annotations.json").read_text())
    places = [(image["tile"]["x"], image["tile"]["y"]) for image in tiles["images"]]
    assert places == [(0, 0), (650, 0), (700, 0), (0, 100), (650, 100), (700, 100)]
    assert tiles["categories"] == [dict(id=1, name="people")]
    regions = [image["ignore_regions"] for image in tiles["images"]]
    assert regions[:2] == [[[700, 20, 100, 50]], [[700 - places[1][0], 20, 100, 50]]]
    originals = json.loads((tmp_path / "out" / "originals.json").read_text())
    assert originals["images"][0]["ignore_regions"] == [[700, 20, 100, 50]]


def test_an_unknown_category_to_ignore_is_named():
    data = coco(kinds={1: "people"})
    with pytest.raises(DatasetError, match=r"gt\.json: no category 'ignored', it has people"):
        as_regions(data, "ignored", name="gt.json")
    with pytest.raises(DatasetError, match=r"gt\.json.*\n.*missing section"):
        as_regions([], "ignored", name="gt.json")


def test_three_sizes_are_too_many(tmp_path):
    words = ["gt.json", "--images", "x", "--output", "y", "--size", "1", "2", "3"]
    arguments = parse("tiles", *words)
    with pytest.raises(UserError, match="--size takes one number"):
        arguments.run(arguments)
