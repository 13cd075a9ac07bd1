"""What else reads pictures: scenes by sensors, backgrounds, leaks, classification, drawings."""

import json

import numpy as np
import pytest
import torch

from d2freq.cli import main
from d2freq.data.image_folders.mapper import ImageMapper
from d2freq.data.leaks.anchors import fingerprint
from d2freq.data.scenes.dataset import generate_scenes
from d2freq.data.scenes.scene import render_scene
from d2freq.data.seqcsist import Rules, generate_seqcsist
from d2freq.errors import DatasetError, UserError
from d2freq.utils.pixels import PixelReader, read_grey, read_samples, write_samples

FEW = dict(train=2, val=1, test=1, progress=False)


@pytest.mark.parametrize(("bits", "bands"), [(16, 1), (16, 4), (8, 4)])
def test_scenes_by_other_sensors_hold_the_same_picture(tmp_path, bits, bands):
    made = dict(train=1, val=1, size=64, workers=1, progress=False, bits=bits, bands=bands)
    truth = generate_scenes(tmp_path / "out", **made)["train"]
    content = json.loads(truth.read_text())
    (image,) = content["images"]
    assert (content["info"]["bits"], content["info"]["bands"]) == (bits, bands)
    values, layout = read_samples(tmp_path / "out/train" / image["file_name"])
    assert (layout.bits, layout.bands, layout.alpha) == (bits, bands, -1)
    rgb = render_scene(0, "train", 0, 64).image[:, :, ::-1].astype(float)
    wanted = rgb if bands > 1 else (rgb @ [0.299, 0.587, 0.114])[:, :, None]
    scale = 4095 / 255 if bits == 16 else 1
    np.testing.assert_allclose(values[:, :, :3], wanted * scale, atol=0.5001)
    with pytest.raises(UserError, match="holds other scenes"):
        generate_scenes(tmp_path / "out", **made | {"bands": 3})
    with pytest.raises(UserError, match="1, 3 or 4 bands"):
        generate_scenes(tmp_path / "none", **made | {"bands": 2})


def test_deep_backgrounds_need_a_range_and_keep_their_levels(tmp_path):
    for split in ("train", "val", "test"):
        for number in range(2):
            flat = np.full((40, 40, 1), 2000 + number, np.uint16)
            path = tmp_path / "images" / split / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_samples(path, flat)
    folder = tmp_path / "images"
    wish = dict(background=folder, rules=Rules(), **FEW)
    with pytest.raises(DatasetError, match=r"\d\.png: 1 band of 16 bits.*--background-range LOW"):
        generate_seqcsist(tmp_path / "a", **wish)
    ranged = generate_seqcsist(tmp_path / "a", background_range=(0, 4095), **wish)
    frames = np.load(ranged["train"])["frames"]
    assert frames.min() == pytest.approx(2000 * 255 / 4095, abs=0.1)
    with pytest.raises(UserError, match="clutter has grey levels of its own"):
        generate_seqcsist(tmp_path / "b", background="clutter", background_range=(0, 9), **FEW)


def test_leaks_see_deep_pictures_stretched(tmp_path):
    scene = render_scene(3, "train", 5, 192).image
    write_samples(tmp_path / "8.png", scene)
    write_samples(tmp_path / "16.png", scene.astype(np.uint16) * 8)  # 11 bits: a high byte of 0..7
    write_samples(tmp_path / "5.tif", scene[:, :, [0, 1, 2, 0, 1]].astype(np.uint16) * 8)
    eight, deep = fingerprint(tmp_path / "8.png"), fingerprint(tmp_path / "16.png")
    assert not deep.flat and deep.size == eight.size
    near = [np.abs(deep.full.xy - xy).max(1).min() <= 1 for xy in eight.full.xy]
    assert len(near) and np.mean(near) > 0.7
    assert fingerprint(tmp_path / "5.tif").digest == deep.digest
    (tmp_path / "cut.tif").write_bytes((tmp_path / "5.tif").read_bytes()[:99])
    assert read_grey(tmp_path / "cut.tif") is None


def test_a_classifier_reads_by_the_reader(tmp_path):
    values = np.random.default_rng(0).integers(0, 4096, (40, 50, 4), dtype=np.uint16)
    write_samples(tmp_path / "a.tif", values)
    record = {"file_name": str(tmp_path / "a.tif"), "label": 1}
    mapper = ImageMapper(False, crop=32, resize=40, pixels=PixelReader([0, 4095], bands=[4, 1]))
    image = mapper(record)["image"]
    assert image.shape == (2, 32, 32) and image.dtype == torch.float32
    wanted = values[4:36, 9:41, 3] * (255 / 4095)
    np.testing.assert_allclose(image[0], wanted, atol=1e-3)
    with pytest.raises(DatasetError, match=r"a\.tif: 4 bands of 16 bits"):
        ImageMapper(False, crop=32, resize=40)(record)


def test_detections_are_drawn_on_stretched_pictures(tmp_path, capsys):
    import cv2

    values = np.random.default_rng(0).integers(1000, 1010, (64, 64, 5), dtype=np.uint16)
    write_samples(tmp_path / "a.tif", values)
    box = dict(id=1, image_id=1, category_id=1, iscrowd=0, bbox=[9, 9, 20, 20], area=400)
    truth = dict(images=[dict(id=1, file_name="a.tif", width=64, height=64)], annotations=[box])
    truth["categories"] = [dict(id=1, name="a")]
    (tmp_path / "gt.json").write_text(json.dumps(truth))
    (tmp_path / "dt.json").write_text("[]")
    words = ["--truth", tmp_path / "gt.json", "--images", tmp_path]
    words += ["--predictions", tmp_path / "dt.json", "--output", tmp_path / "drawn"]
    assert main(["visualize", "detections", *map(str, words)]) == 0
    drawn = cv2.imread(str(tmp_path / "drawn/a.png"))[:256]
    assert drawn.min() < 30 and drawn.max() > 225


def test_validate_notes_deep_pictures(tmp_path, capsys):
    write_samples(tmp_path / "a.tif", np.ones((64, 64, 5), np.uint16))
    truth = dict(images=[dict(id=1, file_name="a.tif", width=64, height=64)], annotations=[])
    (tmp_path / "gt.json").write_text(json.dumps(truth | {"categories": [dict(id=1, name="a")]}))
    assert main(["validate", str(tmp_path / "gt.json"), "--images", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "5 bands of 16 bits" in said and "INPUT.PIXELS.RANGE" in said
