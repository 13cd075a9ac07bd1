"""d2freq unmix: frames of 16 bits to positions, and one line for what is wrong with a frame."""

import csv
import json

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from d2freq.cli import main
from d2freq.inference.unmixing import UnmixOptions, unmix
from d2freq.inference.unmixing.frames import read_frames
from d2freq.inference.unmixing.sequence import in_order
from d2freq.inference.unmixing.tracks import follow
from d2freq.ops.fisher import covariance, joint_information, shared_design, target_information
from d2freq.ops.psf import render
from d2freq.utils.pixels import write_samples

SIGMA, NOISE, BASE = 0.6, 60.0, 1200.0
COUNT, SIZE = 12, 13


@pytest.fixture(scope="module")
def scene():
    """(12, 13, 13) uint16, positions (12, 2, 2) and intensities (2,): two targets 0.9 px apart."""
    times = torch.arange(float(COUNT), dtype=torch.float64)
    first = torch.stack([5.2 + 0.06 * times, 6.1 + 0.03 * times - 0.001 * times**2], 1)
    places = torch.stack([first, first + torch.tensor([0.45, 0.78])], 1)
    bright = torch.tensor([24000.0, 18000.0], dtype=torch.float64)
    frames = render(places, bright.expand(COUNT, 2), size=SIZE, sigma=SIGMA) + BASE
    noise = torch.randn(frames.shape, generator=torch.Generator().manual_seed(0))
    return (frames + NOISE * noise).round().numpy().astype(np.uint16), places, bright


@pytest.fixture
def folder(scene, tmp_path):
    """frame_1.png to frame_12.png, which sort by their numbers."""
    place = tmp_path / "frames"
    place.mkdir()
    for number, frame in enumerate(scene[0], 1):
        write_samples(place / f"frame_{number}.png", frame[:, :, None])
    return place


def bound(scene, motion):
    """Standard deviations (12, 2 targets, 2 axes) that no method beats without bias."""
    _, places, bright = scene
    known = target_information(places, bright.expand(COUNT, 2), size=SIZE, sigma=SIGMA, noise=NOISE)
    design = shared_design(COUNT, 2, motion="smooth", degree=motion).to(known)
    spread = design @ covariance(joint_information(known, design)) @ design.mT
    return spread.diagonal(dim1=1, dim2=2)[:, :4].sqrt().view(COUNT, 2, 2).mT.numpy()


def test_a_folder_of_16_bits_is_right_to_the_bound(scene, folder, tmp_path, capsys):
    table, record, picture = (tmp_path / f"out/targets.{kind}" for kind in ("csv", "json", "png"))
    words = ["unmix", str(folder), "--sigma", str(SIGMA), "--frames", "all", "--output"]
    assert main([*words, str(table), str(record), str(picture)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1] == "2 targets a frame, 2 tracks" and said[-1].endswith("targets.png written")
    rows = list(csv.DictReader(table.open()))
    assert len(rows) == 2 * COUNT and rows[2]["name"] == "frame_2.png"
    found = np.array([[float(row["row"]), float(row["column"])] for row in rows])
    stated = np.array([[float(row["sd_row"]), float(row["sd_column"])] for row in rows])
    least = bound(scene, 3).reshape(-1, 2)
    errors = (found - scene[1].reshape(-1, 2).numpy()) / least
    assert (np.abs(errors) < 4).all() and np.sqrt((errors**2).mean()) < 1.7
    assert np.allclose(stated, least, rtol=0.15)
    data = json.loads(record.read_text())
    assert data["frames_together"] == "all" and len(data["targets"]) == 2 * COUNT
    assert {row["track"] for row in data["targets"]} == {1, 2}
    bright = np.array([row["intensity"] for row in data["targets"]]).reshape(COUNT, 2).mean(0)
    assert np.allclose(bright, scene[2].numpy(), rtol=0.05)
    assert Image.open(picture).size[0] > 500


def test_the_width_of_the_spot_is_estimated(scene, tmp_path):
    """A third target apart from the two says what a spot is."""
    frames, places, bright = scene
    alone = places[:5, :1] + torch.tensor([-2.8, 3.4])
    more = render(alone, bright[:1].expand(5, 1), size=SIZE, sigma=SIGMA).numpy()
    np.save(tmp_path / "frames.npy", (frames[:5] + more).astype(np.float32))
    found = unmix(UnmixOptions(source=tmp_path / "frames.npy"))
    assert found.estimated and abs(found.sigma - SIGMA) < 0.02
    assert [len(own) for own in found.points] == [3] * 5
    assert found.images.shape == (5, SIZE, SIZE) and found.saturated == 0


def test_pages_of_a_large_tiff_are_cut_about_the_brightest(scene, tmp_path):
    large = np.full((3, 60, 80), 1200, np.uint16)
    large[:, 20:33, 50:63] = scene[0][:3]
    tifffile.imwrite(tmp_path / "a.tif", large, photometric="minisblack")
    found = unmix(UnmixOptions(source=tmp_path / "a.tif", sigma=SIGMA, frames=3))
    assert found.images.shape == (3, 21, 21) and found.names[2] == "a.tif, page 3"
    apart = np.abs(found.points[1][:, :2] - (scene[1][1].numpy() + (20, 50)))
    assert apart.max() < 0.05
    options = UnmixOptions(source=tmp_path / "a.tif", sigma=SIGMA, frames=3, crop=(26, 56, 13))
    cut = unmix(options)
    assert cut.origin == (20, 50) and np.abs(cut.points[1] - found.points[1])[:, :2].max() < 0.02


def test_saturated_pixels_are_told_and_do_not_pull(scene, tmp_path):
    clipped = np.minimum(scene[0], 4095)[:5]
    np.save(tmp_path / "a.npy", np.minimum(scene[0], 9000)[:5].astype(np.uint16))
    found = unmix(UnmixOptions(source=tmp_path / "a.npy", sigma=SIGMA, saturation=9000.0))
    assert found.saturated > 3 and "lower bounds" in found.lines[-1]
    assert np.abs(found.points[2][:, :2] - scene[1][2].numpy()).max() < 0.06
    np.save(tmp_path / "b.npy", clipped)
    assert read_frames(tmp_path / "b.npy").saturation == 4095  # that of 12 bits
    assert read_frames(tmp_path / "a.npy").saturation is None


def test_bad_frames_are_named_with_the_cure(scene, folder, tmp_path, capsys):
    def said(source=folder, *words):
        assert main(["unmix", str(source), "--sigma", "0.6", *words]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    def put(name, values):
        write_samples(folder / name, np.ascontiguousarray(values))

    frame = scene[0][0]
    put("frame_3.png", frame[:11, :, None])
    assert "frame_3.png has 13 x 11 pixels, frame_1.png has 13 x 13" in (line := said())
    assert "cut them alike" in line
    put("frame_3.png", np.repeat(frame[:, :, None], 3, 2))
    assert "frame_3.png has 3 bands, colours" in (line := said()) and "as grey" in line
    put("frame_3.png", np.where(np.arange(SIZE) < 5, 65535, frame)[:, :, None].astype(np.uint16))
    assert "frame_3.png: 65 of its 169 pixels are saturated (at 65535)" in (line := said())
    assert "expose shorter" in line
    (folder / "frame_3.png").write_bytes((folder / "frame_2.png").read_bytes()[:60])
    assert "frame_3.png" in said()
    holes = scene[0].astype(np.float32)
    holes[[4, 7], 2, 3] = np.nan
    np.save(tmp_path / "holes.npy", holes)
    line = said(tmp_path / "holes.npy")
    assert "holes.npy, frame 4: 1 of its pixels are NaN" in line and "(and 1 frames more)" in line
    np.save(tmp_path / "flat.npy", np.zeros(7))
    assert "expected numbers of (frames, rows, columns)" in said(tmp_path / "flat.npy")
    tifffile.imwrite(tmp_path / "rgb.tif", np.zeros((9, 9, 3), np.uint8), photometric="rgb")
    assert "page 1 has colours (rgb)" in said(tmp_path / "rgb.tif")
    planes = np.zeros((3, 9, 9), np.uint8)
    tifffile.imwrite(tmp_path / "planes.tif", planes, photometric="rgb", planarconfig="separate")
    assert "page 1 has colours (rgb)" in said(tmp_path / "planes.tif")
    (tmp_path / "empty").mkdir()
    assert "has no frames" in said(tmp_path / "empty")
    assert "nowhere.tif: no such file or folder; give" in said(tmp_path / "nowhere.tif")
    np.save(tmp_path / "dark.npy", np.zeros((1, 7, 7)))
    assert main(["unmix", str(tmp_path / "dark.npy")]) == 2
    assert "no target stands out" in capsys.readouterr().err
    (tmp_path / "place.csv").mkdir()
    assert "stand among the frames" in said(folder, "--output", str(folder / "frame_1.png"))
    np.save(tmp_path / "line.npy", scene[0][:, :1])
    assert "line.npy, frame 0 has 13 x 1 pixels" in said(tmp_path / "line.npy")
    good = tmp_path / "good.npy"
    np.save(good, scene[0][:1])
    for words, cure in (
        (("--frames", "4"), "an odd number"),
        (("--sigma", "0"), "--sigma 0: pixels, a spot's standard deviation, 0.1 to 10"),
        (("--sigma", "nan"), "--sigma nan"),
        (("--least", "1e308"), "--least 1e+308: a number in the frames' units, -1e+150 to 1e+150"),
        (("--brightness", "3", "1e9"), "more than 1e+06 times the least"),
        (("--brightness", "nan", "3"), "--brightness nan 3"),
        (("--frames", "1", "--least", "nan"), "a number in the frames' units"),
        (("--saturation", "inf"), "a number in the frames' units"),
        (("--brightness", "9", "3"), "the least and the largest"),
        (("--brightness", "9", "inf"), "the least and the largest"),
        (("--crop", "3", "3", "40"), "3 to 13 pixels"),
        (("--output", "a.txt"), ".csv, .json or .png"),
        (("--output", str(tmp_path / "place.csv")), "place.csv is a folder"),
    ):
        assert cure in said(good, *words)


def test_faint_units_a_blank_frame_and_the_most_targets(scene, tmp_path):
    """Radiances of 1e-14 are found; what makes positions wrong or incomplete is said."""
    np.save(tmp_path / "a.npy", scene[0][:3] * 1e-18)
    found = unmix(UnmixOptions(source=tmp_path / "a.npy", sigma=SIGMA))
    assert [len(own) for own in found.points] == [2] * 3 and len(found.lines) == 2
    assert np.allclose(found.points[1][:, 2].max(), 24e-15, rtol=0.05)
    blank = scene[0][:3].copy()
    blank[1] = BASE
    np.save(tmp_path / "b.npy", blank)
    line = unmix(UnmixOptions(source=tmp_path / "b.npy", sigma=SIGMA)).lines[-1]
    assert "blank frames: 1, the first is b.npy, frame 1" in line
    places = torch.cartesian_prod(*[torch.tensor([2.0, 6.0, 10.0], dtype=torch.float64)] * 2)
    np.save(tmp_path / "nine.npy", render(places, torch.full((9,), 9e3).double(), size=13).numpy())
    lines = unmix(UnmixOptions(source=tmp_path / "nine.npy", sigma=0.5)).lines
    assert "8 targets are the most" in lines[-1]


def test_names_with_any_sign_have_an_order(tmp_path):
    names = ["²5.png", "b10.png", "b9.png", "帧.png"]
    ordered = [file.name for file in in_order([tmp_path / name for name in names])]
    assert ordered[:2] == ["b9.png", "b10.png"]


def test_tracks_keep_their_numbers_over_a_gap_and_do_not_jump():
    far = np.array([[9.0, 9.0]])
    frames = [np.array([[1.0, 1.0], [4.0, 4.0]]), np.array([[4.1, 4.0]])]
    frames += [np.array([[4.2, 4.0], [1.2, 1.1]]), far]
    numbers = follow(frames, [np.full(len(own), 0.01) for own in frames])
    assert [own.tolist() for own in numbers] == [[1, 2], [2], [2, 1], [3]]
