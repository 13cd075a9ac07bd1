"""Figures of HS-FPN's maps, and the signal to clutter ratio, from functions and commands."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.fft import dctn, idctn

from d2freq.analysis.hs_fpn.clutter import filter_block, signal_to_clutter, windows
from d2freq.analysis.hs_fpn.maps import (
    energy,
    read_grey_levels,
    read_image,
    record,
    responses,
)
from d2freq.cli import main
from d2freq.engine.build import config_model
from d2freq.errors import UserError
from d2freq.ops.dct import high_pass

HSFPN = "configs/demo/faster_rcnn_R18_HSFPN_scenes.yaml"
FPN = "configs/demo/faster_rcnn_R18_FPN_scenes.yaml"


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    """A noise image of 90 x 70 pixels with a bright target, its COCO file beside it."""
    folder = tmp_path_factory.mktemp("picture")
    pixels = np.random.default_rng(0).integers(90, 110, (70, 90, 3), dtype=np.uint8)
    pixels[30:36, 40:47] = 250
    Image.fromarray(pixels).save(folder / "target.png")
    box = dict(id=1, image_id=1, category_id=1, bbox=[40, 30, 7, 6], area=42, iscrowd=0)
    crowd = dict(box, id=2, bbox=[1, 1, 5, 5], area=25, iscrowd=1)
    image = dict(id=1, file_name="target.png", height=70, width=90)
    content = dict(images=[image], annotations=[box, crowd], categories=[dict(id=1, name="c")])
    (folder / "gt.json").write_text(json.dumps(content))
    return folder / "target.png"


def test_recording_holds_the_steps_of_the_forward(picture):
    model = config_model(HSFPN)
    image = read_image(picture)
    recording = record(model, image)
    assert recording.image.shape == (70, 90, 3)
    batch = model.preprocess_image([{"image": torch.from_numpy(image.transpose(2, 0, 1).copy())}])
    with torch.no_grad():
        pyramid = model.backbone(batch.tensor)
        lateral = model.backbone.fpn_lateral2(model.backbone.bottom_up(batch.tensor)["res2"])
        hfp = model.backbone.fpn_hfp2
        gate = hfp.channel_path(high_pass(lateral, hfp.alpha, hfp.rounding))
    assert list(recording.level(2)) == ["lateral", "hfp", "sdp", "output"]
    assert list(recording.level(5)) == ["lateral", "hfp", "output"]
    level = recording.level(2)
    torch.testing.assert_close(level["output"], pyramid["p2"][0, :, :18, :23])
    torch.testing.assert_close(level["lateral"], lateral[0, :, :18, :23])
    np.testing.assert_allclose(recording.weights[2], gate.flatten().numpy(), rtol=1e-5)
    with pytest.raises(UserError, match="--level 7: the neck has the levels 2, 3, 4, 5"):
        recording.level(7)


def test_bgr_model_gets_its_channels_in_its_order(picture):
    model = config_model(FPN)
    image = read_image(picture)
    expected = record(model, image).level(2)["output"]
    model.input_format = "BGR"
    swapped = record(model, np.ascontiguousarray(image[:, :, ::-1])).level(2)["output"]
    torch.testing.assert_close(swapped, expected)


def test_responses_end_in_an_empty_map():
    lateral = torch.randn(4, 12, 16)
    maps = responses(lateral, [0, 0.5, 1])
    np.testing.assert_allclose(maps[0], lateral.abs().mean(0))
    np.testing.assert_allclose(maps[0.5], energy(high_pass(lateral, 0.5)))
    assert not maps[1].any()
    with pytest.raises(UserError, match="--alphas 1.5"):
        responses(lateral, [1.5])


def test_filtered_block_equals_scipy():
    grey = np.random.default_rng(1).random((40, 30)) * 255
    spectrum = dctn(grey, norm="ortho")
    spectrum[:7, :7] = 0
    np.testing.assert_allclose(filter_block(grey, 7), idctn(spectrum, norm="ortho"), atol=1e-10)
    np.testing.assert_allclose(filter_block(grey, 0), grey, atol=1e-10)
    np.testing.assert_allclose(filter_block(grey, 1), grey - grey.mean(), atol=1e-10)


def test_signal_to_clutter_by_hand():
    image = np.zeros((6, 6))
    image[2:4, 2:4] = 9
    image[0, :] = 2  # six of the 32 pixels around the target
    target, around = windows(image.shape, [2, 2, 2, 2], patch=2, surround=3)
    assert (target, around) == ((2, 2, 4, 4), (0, 0, 6, 6))
    mean = 12 / 32
    deviation = np.sqrt(6 / 32 * (2 - mean) ** 2 + 26 / 32 * mean**2)
    assert signal_to_clutter(image, target, around) == pytest.approx((9 - mean) / deviation)
    assert np.isnan(signal_to_clutter(np.zeros((6, 6)), target, around))


def test_windows_are_cut_at_the_border_and_refuse_what_has_no_surround():
    target, around = windows((50, 60), [0, 0, 4, 4], patch=10, surround=3)
    assert target == (0, 0, 7, 7) and around == (0, 0, 17, 17)
    with pytest.raises(UserError, match="outside of the 60 x 50 image"):
        windows((50, 60), [70, 0, 4, 4])
    with pytest.raises(UserError, match="smaller --patch"):
        windows((50, 60), [20, 20, 4, 4], patch=200)


@pytest.mark.parametrize(
    "words",
    [
        ["responses", "--config-file", HSFPN, "--alphas", "0", "0.25"],
        ["levels", "--config-file", HSFPN, "--levels", "2", "5"],
        ["levels", "--config-file", FPN],
        ["channels", "--config-file", HSFPN],
    ],
)
def test_commands_write_pictures(picture, tmp_path, words):
    output = tmp_path / "new" / "figure.png"
    assert main(["visualize", *words, "--image", str(picture), "--output", str(output)]) == 0
    assert Image.open(output).size > (300, 100)


def test_scr_command(picture, tmp_path, capsys):
    output = tmp_path / "scr.png"
    truth = ["--annotations", str(picture.parent / "gt.json")]
    words = ["visualize", "scr", "--image", str(picture), "--output", str(output), "--patch", "8"]
    assert main([*words, *truth, "--sizes", "0", "1", "5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and "(median of 1)" in lines[0]  # the crowd is no target
    ratio = float(lines[0].split("SCR ")[1].split(" ")[0])
    assert ratio > 5 and float(lines[1].split("SCR ")[1].split(" ")[0]) == pytest.approx(ratio)
    assert main([*words, "--box", "40", "30", "7", "6"]) == 0
    assert Image.open(output).size > (300, 100)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["channels", "--config-file", FPN], "no channel path"),
        (["levels", "--config-file", HSFPN, "--levels", "9"], "--level 9"),
        (["responses", "--config-file", HSFPN, "--weights", "gone.pth"], "gone.pth"),
        (["scr", "--box", "400", "0", "4", "4"], "outside of the 90 x 70 image"),
    ],
)
def test_errors_are_one_line(picture, tmp_path, capsys, words, message):
    common = ["--image", str(picture), "--output", str(tmp_path / "x.png")]
    assert main(["visualize", words[0], *common, *words[1:]]) == 2
    assert message in capsys.readouterr().err
    assert main(["visualize", "scr", "--image", "none.png", "--output", "x", "--box", *"1111"]) == 2
    assert "none.png: no such file" in capsys.readouterr().err


def test_grey_levels_of_plain_and_deep_pictures(tmp_path):
    colour = np.zeros((4, 5, 3), np.uint8)
    colour[..., 1] = 100
    Image.fromarray(colour).save(tmp_path / "plain.png")
    assert np.allclose(read_grey_levels(tmp_path / "plain.png"), 58.7)
    deep = np.arange(1000, 1020, dtype=np.uint16).reshape(4, 5)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    grey = read_grey_levels(tmp_path / "deep.png")
    assert grey.shape == (4, 5) and np.all(np.diff(grey.ravel()) > 0)


def test_a_model_without_a_pyramid_is_refused():
    model = torch.nn.Module()
    model.backbone = torch.nn.Linear(1, 1)
    with pytest.raises(UserError, match="Linear is no feature pyramid: use a config with one"):
        record(model, np.zeros((4, 4, 3), np.uint8))
