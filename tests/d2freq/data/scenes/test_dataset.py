"""Scenes: the same seed gives the same bytes, and the labels are true."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from d2freq.data.scenes.canvas import SUPERSAMPLE
from d2freq.data.scenes.dataset import generate_scenes
from d2freq.data.scenes.objects import KINDS
from d2freq.data.scenes.scene import render_scene
from d2freq.errors import UserError


@pytest.fixture(scope="module")
def scenes():
    return [render_scene(0, "train", index, size=192) for index in range(24)]


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_objects_have_two_to_32_pixels_and_every_kind_occurs(scenes):
    sides = np.array([box[2:] for scene in scenes for box in scene.boxes])
    assert sides.min() >= 2 and sides.max() <= 32
    assert (sides.max(1) <= 8).any() and (sides.min(1) >= 16).any()
    assert {kind for scene in scenes for kind in scene.kinds} == set(KINDS)
    assert any(not scene.kinds for scene in scenes)


def test_boxes_are_tight_around_what_is_seen(scenes):
    for scene in scenes[:8]:
        for number, box in enumerate(scene.boxes, start=1):
            x, y, w, h = (round(value * SUPERSAMPLE) for value in box)
            mask = scene.owner == number
            inside = mask[y : y + h, x : x + w]
            assert inside.sum() == mask.sum() > 0
            assert inside[0].any() and inside[-1].any()
            assert inside[:, 0].any() and inside[:, -1].any()


def test_outlines_are_what_is_seen(scenes):
    """COCO's own rasterisation of the polygons gives each object back, to the quarter pixel."""
    for scene in scenes[:8]:
        side = len(scene.owner)
        for number, box in enumerate(scene.boxes):
            rings = [np.array(ring) for ring in scene.segmentation(number)]
            scaled = [(ring * SUPERSAMPLE).tolist() for ring in rings]
            seen = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(scaled, side, side)))
            assert np.array_equal(seen, scene.owner == number + 1)
            points = np.concatenate(rings).reshape(-1, 2)
            assert [*points.min(0), *np.ptp(points, axis=0)] == box


def test_objects_stand_out(scenes):
    """A vehicle differs from the ring around it by more than the noise, nearly always."""
    contrasts = []
    for scene in scenes:
        for kind, box in zip(scene.kinds, scene.boxes, strict=True):
            if kind == "vehicle":
                x, y, w, h = (round(value) for value in box)
                patch = scene.image[max(y - 3, 0) : y + h + 3, max(x - 3, 0) : x + w + 3]
                core = scene.image[y + h // 4 : y + h - h // 4, x + w // 4 : x + w - w // 4]
                middle = np.median(patch.astype(float), axis=(0, 1))
                contrasts.append(np.abs(core.astype(float).mean((0, 1)) - middle).max())
    assert len(contrasts) > 50
    assert np.mean(np.array(contrasts) > 15) > 0.85


def test_same_seed_same_bytes_at_any_number_of_pictures_and_processes(tmp_path):
    quick = {"size": 96, "progress": False}
    generate_scenes(tmp_path / "one", seed=4, train=5, val=1, workers=1, **quick)
    generate_scenes(tmp_path / "two", seed=4, train=5, val=1, workers=2, **quick)
    generate_scenes(tmp_path / "few", seed=4, train=3, val=1, workers=1, **quick)
    one, few = digest(tmp_path / "one"), digest(tmp_path / "few")
    assert one == digest(tmp_path / "two")
    pictures = {name for name in few if name.endswith(".png")}
    assert len(pictures) == 4 and all(one[name] == few[name] for name in pictures)
    other = render_scene(5, "train", 0, size=96).image
    assert not np.array_equal(other, render_scene(4, "train", 0, size=96).image)
    assert not np.array_equal(other, render_scene(5, "val", 0, size=96).image)


def test_coco_file_is_complete(tmp_path):
    from d2freq.data import check_coco

    file = generate_scenes(tmp_path, train=4, val=1, size=128, workers=1, progress=False)["train"]
    report = check_coco(file, tmp_path / "train", images="decode")
    assert report.ok and not report.warning()
    data = json.loads(file.read_text())
    assert [image["id"] for image in data["images"]] == [1, 2, 3, 4]
    shapes = [annotation["segmentation"] for annotation in data["annotations"]]
    assert shapes and all(len(ring) >= 8 for shape in shapes for ring in shape)
    ids = [annotation["id"] for annotation in data["annotations"]]
    assert ids == list(range(1, len(ids) + 1))
    assert [category["name"] for category in data["categories"]] == list(KINDS)


def test_interrupted_run_goes_on(tmp_path, monkeypatch):
    import d2freq.data.scenes.dataset as module

    wish = {"seed": 1, "train": 4, "val": 1, "size": 64, "workers": 1, "progress": False}
    expected = tmp_path / "expected"
    generate_scenes(expected, **wish)
    real, done = module.render_scene, []

    def stop_at_third(*args):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(args)
        return real(*args)

    monkeypatch.setattr(module, "render_scene", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        generate_scenes(tmp_path / "cut", **wish)
    rendered = []
    monkeypatch.setattr(module, "render_scene", lambda *a: rendered.append(a) or real(*a))
    generate_scenes(tmp_path / "cut", **wish)
    assert len(rendered) == 3  # two of five were there
    assert digest(tmp_path / "cut") == digest(expected)
    generate_scenes(tmp_path / "cut", **wish)
    assert len(rendered) == 3


def test_scenes_without_outlines_are_made_again(tmp_path):
    wish = {"seed": 3, "train": 2, "val": 1, "size": 96, "workers": 1, "progress": False}
    file = generate_scenes(tmp_path, **wish)["train"]
    before, data = digest(tmp_path), json.loads(file.read_text())
    assert data["annotations"]
    for annotation in data["annotations"]:
        del annotation["segmentation"]
    file.write_text(json.dumps(data))
    generate_scenes(tmp_path, **wish)
    assert digest(tmp_path) == before


def test_other_scenes_are_not_overwritten_unasked(tmp_path):
    wish = {"train": 1, "val": 1, "size": 64, "workers": 1, "progress": False}
    generate_scenes(tmp_path, seed=1, **wish)
    with pytest.raises(UserError, match=r"seed=1.*--overwrite"):
        generate_scenes(tmp_path, seed=2, **wish)
    generate_scenes(tmp_path, seed=2, overwrite=True, **wish)
    fresh = tmp_path / "fresh"
    generate_scenes(fresh, seed=2, **wish)
    for split in ("train", "val"):
        assert digest(tmp_path / split) == digest(fresh / split)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"train": 0}, "at least one"), ({"size": 8}, "64 to 2048"), ({"seed": -1}, "seed=-1")],
)
def test_impossible_wishes_are_refused(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        generate_scenes(tmp_path, **changes)
