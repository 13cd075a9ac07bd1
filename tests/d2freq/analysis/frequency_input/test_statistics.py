"""d2freq dct-statistics: its numbers against scipy's DCT, its files as bases of configs."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from detectron2.data import MetadataCatalog
from detectron2.layers import ShapeSpec
from PIL import Image
from scipy.fft import dctn

from d2freq.analysis.frequency_input.statistics import measure_statistics
from d2freq.analysis.frequency_input.stem_config import stem_keys, write_input_config
from d2freq.cli import main
from d2freq.engine import load_yaml
from d2freq.errors import UserError
from d2freq.modeling.frequency_input import DCTStem, UnshuffleStem
from d2freq.modeling.frequency_input.build_stem import build_stem
from d2freq.ops.block_dct import YCBCR

DCT = "configs/frequency_input/faster_rcnn_R18_DCT_FPN_kit_ais"


def measure(config, name, output, *words):
    common = ["--config-file", config, "--dataset", name, "--output", str(output)]
    return main(["dct-statistics", *common, *words])


def keys_of(path):
    """MODEL.FREQ_INPUT of a written file, as a config takes it."""
    return load_yaml(str(path)).MODEL.FREQ_INPUT


def noise(seed, *shape):
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed))


def by_scipy(images):
    """Mean and deviation of the 192 coefficients of JPEG's blocks, Y, Cb, Cr in raster order."""
    found = []
    for image in images:
        planes = np.einsum("cp,pyx->cyx", np.array(YCBCR), image.double().numpy() - 128)
        for top in range(0, planes.shape[1] - 7, 8):
            for left in range(0, planes.shape[2] - 7, 8):
                block = planes[:, top : top + 8, left : left + 8]
                found.append(dctn(block, axes=(1, 2), norm="ortho").ravel())
    return np.mean(found, 0), np.std(found, 0), len(found)


def test_mean_and_deviation_are_scipys_over_whole_blocks():
    images = [noise(1, 3, 30, 41), noise(2, 3, 16, 16) // 3]  # six rows and one column are over
    stem = DCTStem(mode="8x8", channels="all", input_format="RGB")
    found = measure_statistics(stem, images)
    mean, std, blocks = by_scipy(images)
    assert (found.images, found.blocks) == (2, blocks) and blocks == 15 + 4
    np.testing.assert_allclose(found.mean, mean, atol=2e-4)
    np.testing.assert_allclose(found.std, std, rtol=1e-5, atol=2e-4)


def test_pixels_of_a_control_by_numpy():
    image = noise(3, 3, 8, 12)
    found = measure_statistics(UnshuffleStem(input_format="RGB"), [image])
    cells = (image.double() - 128).unfold(1, 4, 4).unfold(2, 4, 4).numpy()  # (3, 2, 3, 4, 4)
    np.testing.assert_allclose(found.mean, cells.mean((1, 2)).ravel(), atol=1e-4)
    np.testing.assert_allclose(found.std, cells.std((1, 2)).ravel(), rtol=1e-5)


@pytest.mark.parametrize("ending", [".yaml", ".py"])
def test_command_measures_what_the_stem_of_the_config_gives(tiny_data, tmp_path, ending):
    name, output = tiny_data(1), tmp_path / "new" / "statistics.yaml"
    assert measure(DCT + ending, name, output, "--images", "2") == 0
    record = json.loads(output.with_suffix(".json").read_text())
    assert record["images"] == 2 and record["blocks"] == 2 * (208 // 4) * (224 // 4)
    assert record["channels"][:2] == ["Y(0,0)", "Y(0,1)"] and record["channels"][-1] == "Cr(1,1)"
    keys = keys_of(output)
    np.testing.assert_allclose(keys.STD, record["std"], rtol=1e-5)
    # normalised by them the channels have mean 0 and deviation 1 over the same images
    stem = DCTStem(channels="24", input_format="RGB", mean=keys.MEAN, std=keys.STD)
    folder = Path(MetadataCatalog.get(name).image_root)
    files = [folder / "1.png", folder / "3.png"]  # at even steps through three
    images = [torch.from_numpy(np.array(Image.open(f)).transpose(2, 0, 1).copy()) for f in files]
    found = torch.cat([stem(image[None].float() - 128).flatten(2) for image in images], 2)[0]
    assert found.mean(1).abs().max() < 1e-3 and (found.std(1) - 1).abs().max() < 1e-3


def test_a_written_file_is_the_base_of_a_config(tiny_data, tmp_path):
    output, child = tmp_path / "all.yaml", tmp_path / "child.yaml"
    assert measure(f"{DCT}.yaml", tiny_data(1), output, "MODEL.FREQ_INPUT.CHANNELS", "all") == 0
    written = keys_of(output)
    assert written.MEASURED_FOR == "dct x2 all" and len(written.MEAN) == 192
    child.write_text("_BASE_: all.yaml\nMODEL: {FREQ_INPUT: {CHANNELS: '48'}}\n")
    stem = build_stem(load_yaml(str(child)), ShapeSpec(channels=3))
    wanted = torch.tensor(written.STD)[stem.channels]
    assert stem.out_channels == 48 and torch.equal(stem.std, wanted)


def test_other_statistics_are_refused(tiny_data, tmp_path):
    output = tmp_path / "24.yaml"
    assert measure(f"{DCT}.yaml", tiny_data(1), output) == 0
    cfg = load_yaml(str(output), ["MODEL.FREQ_INPUT.CHANNELS", "64"])
    with pytest.raises(UserError, match="dct-statistics"):
        build_stem(cfg, ShapeSpec(channels=3))


def test_keys_of_each_stem_build_it_again(tmp_path):
    for stem in (
        DCTStem(mode="4x4", channels=[0, 3, 16]),
        DCTStem(channels="24", rotation_seed=5),
        UnshuffleStem(channels="420"),
    ):
        ones = torch.arange(1.0, stem.out_channels + 1)
        file = write_input_config(tmp_path / "k.yaml", stem_keys(stem, -ones, ones), notes=["n"])
        cfg = load_yaml(str(file), ["MODEL.PIXEL_MEAN", "[128, 128, 128]"])
        again = build_stem(cfg, ShapeSpec(channels=3))
        assert torch.equal(again.mean, -ones) and again.channels == stem.channels
        assert torch.allclose(again.kernel, stem.kernel)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda p: p[..., 0], "128 of 192 channels are constant over 4 images"),
        (lambda p: p[..., 0].astype(np.uint16) * 200, "1 band of 16 bits"),
    ],
)
def test_grey_and_deep_images(vehicles, tmp_path, capsys, write, said):
    for file in tmp_path.glob("*.png"):
        Image.fromarray(write(np.asarray(Image.open(file)))).save(file)
    words = ["MODEL.FREQ_INPUT.CHANNELS", "all"]
    assert measure(f"{DCT}.yaml", "vehicles_test", tmp_path / "s.yaml", *words) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "s.yaml").exists()


def test_configs_without_fixed_channels(capsys, tiny_data, tmp_path):
    rgb = "configs/hs_fpn/faster_rcnn_R18_FPN_kit_ais"
    for config in (f"{rgb}.yaml", f"{rgb}.py"):
        assert measure(config, tiny_data(1), tmp_path / "s.yaml") == 2
        assert "no DCT stem" in capsys.readouterr().err


def test_no_whole_block():
    with pytest.raises(UserError, match="no whole block"):
        measure_statistics(DCTStem(mode="8x8"), [noise(1, 3, 7, 90)])
