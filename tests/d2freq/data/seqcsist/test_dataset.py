"""The generator's files: the same bytes for a seed, true frames, and nothing replaced unasked."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from scipy import stats

from d2freq.cli import main
from d2freq.data.seqcsist import Rules, generate_seqcsist
from d2freq.data.seqcsist.dataset import describe
from d2freq.data.seqcsist.files import read_split
from d2freq.errors import DatasetError, UserError

FEW = {"train": 6, "val": 3, "test": 2, "progress": False}


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def share(at: float, pixel: int, sigma: float = 0.5) -> float:
    """Share of the energy of one axis in a pixel."""
    borders = stats.norm(at, sigma).cdf([pixel - 0.5, pixel + 0.5])
    return float(borders[1] - borders[0])


def test_same_seed_same_bytes_and_other_bytes_for_another(tmp_path):
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        generate_seqcsist(tmp_path / name, rules=Rules(seed=seed), **FEW)
    one, two, three = (contents(tmp_path / name) for name in ("one", "two", "three"))
    assert set(one) == {"train.npz", "val.npz", "test.npz", "q_init_x3.npz"}
    assert one == two
    assert all(one[name] != three[name] for name in one)


def test_bytes_do_not_depend_on_the_number_of_threads(tmp_path):
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            generate_seqcsist(tmp_path / str(threads), **{**FEW, "train": 60})
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert contents(tmp_path / "1") == contents(tmp_path / "3")


def test_fewer_trajectories_are_the_first_of_more(tmp_path):
    few = generate_seqcsist(tmp_path / "few", **FEW)
    more = generate_seqcsist(tmp_path / "more", **{**FEW, "train": 9})
    for a, b in zip(
        read_split(few["train"]).frames, read_split(more["train"]).frames, strict=False
    ):
        assert np.array_equal(a, b)


def test_frames_show_their_targets(tmp_path):
    files = generate_seqcsist(tmp_path, **FEW)
    split = read_split(files["train"])
    assert split.frames.shape == (6, 20, 11, 11) and split.frames.dtype == np.float32
    for number, time in ((0, 0), (5, 19)):
        expected = np.zeros((11, 11))
        targets = zip(split.positions[number][time], split.intensities[number][time], strict=True)
        for (row, column), light in targets:
            rows, columns = ([share(x, p) for p in range(11)] for x in (row, column))
            expected += light * np.outer(rows, columns)
        assert np.allclose(split.frames[number, time], expected, atol=1e-3)


def test_eight_bits_saturate_and_say_how_often(tmp_path):
    wish = {**FEW, "train": 30}
    exact = read_split(generate_seqcsist(tmp_path / "float", **wish)["train"])
    file = generate_seqcsist(tmp_path / "byte", uint8=True, **wish)["train"]
    split = read_split(file)
    assert split.frames.dtype == np.uint8
    assert np.array_equal(split.frames, np.clip(np.round(exact.frames), 0, 255))
    over = (np.round(exact.frames) > 255).sum((2, 3))
    assert np.array_equal(split.saturated, over) and np.array_equal(exact.saturated, over)
    assert f"{(over > 0).mean():.1%} of frames exceed 255" in describe(file)
    assert "cut there" in describe(file)
    counts = np.array([positions.shape[1] for positions in split.positions])
    # peaks of two targets stay below 255, those of four mostly do not
    assert (over[counts == 2] == 0).all() and (over[counts == 4] > 0).mean() > 0.6
    record = split.records(file)[0]
    assert record["frames"].dtype == np.float32 and record["frames"].max() <= 255


def test_clutter_is_added_and_moves(tmp_path):
    plain = read_split(generate_seqcsist(tmp_path / "plain", **FEW)["train"])
    files = generate_seqcsist(tmp_path / "mixed", background="clutter", **FEW)
    split = read_split(files["train"])
    behind = split.frames - plain.frames
    assert np.array_equal(split.positions[0], plain.positions[0])
    assert behind.min() >= -1e-3 and 5 < behind.mean() < 45 and behind.std() > 1
    moves = np.abs(np.diff(behind, axis=1)).mean((2, 3))
    assert (moves > 1e-4).all() and (moves < 5).all()
    again = generate_seqcsist(tmp_path / "again", background="clutter", **FEW)
    assert again["train"].read_bytes() == files["train"].read_bytes()


def test_own_images_stay_apart_between_splits(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for level in range(10):
        cv2.imwrite(str(images / f"{level}.png"), np.full((30, 40), 10 * level + 5, np.uint8))
    wish = {**FEW, "train": 40, "val": 20, "test": 20, "background": images}
    files = generate_seqcsist(tmp_path / "a", background_gain=0.5, **wish)
    plain = generate_seqcsist(tmp_path / "b", **{**wish, "background": None})
    seen = {}
    for name, file in files.items():
        behind = read_split(file).frames - read_split(plain[name]).frames
        seen[name] = set(np.unique(np.round(behind, 2)).tolist())
    assert seen["train"] | seen["val"] | seen["test"] == {5 * level + 2.5 for level in range(10)}
    assert [len(levels) for levels in seen.values()] == [7, 1, 2]  # 70, 15 and 15 %, rounded


def test_images_that_do_not_serve_are_named(tmp_path):
    with pytest.raises(DatasetError, match="nowhere: no such folder"):
        generate_seqcsist(tmp_path / "out", background=tmp_path / "nowhere", **FEW)
    images = tmp_path / "images"
    images.mkdir()
    with pytest.raises(DatasetError, match="no images for the train split"):
        generate_seqcsist(tmp_path / "out", background=images, **FEW)
    for number in range(9):
        cv2.imwrite(str(images / f"{number}.png"), np.zeros((12, 40), np.uint8))
    with pytest.raises(DatasetError, match=r"\d.png: 40 x 12 pixels, but backgrounds need 17"):
        generate_seqcsist(tmp_path / "out", background=images, **FEW)
    for file in images.iterdir():
        file.write_bytes(b"no image")
    with pytest.raises(DatasetError, match=r"\d.png: cannot be read"):
        generate_seqcsist(tmp_path / "out", background=images, **FEW)
    assert not list((tmp_path / "out").glob("*.npz"))


def test_other_splits_are_not_replaced_unasked(tmp_path):
    files = generate_seqcsist(tmp_path, **FEW)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    generate_seqcsist(tmp_path, **FEW)
    assert before == {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    with pytest.raises(UserError, match=r"train.npz holds another split \(seed=0\).*--overwrite"):
        generate_seqcsist(tmp_path, rules=Rules(seed=2), **FEW)
    matrix = (tmp_path / "q_init_x3.npz").read_bytes()
    generate_seqcsist(tmp_path, rules=Rules(seed=2), overwrite=True, **FEW)
    assert json.loads(str(np.load(files["val"])["info"]))["seed"] == 2
    assert (tmp_path / "q_init_x3.npz").read_bytes() != matrix
    files["val"].write_bytes(b"cut off")
    with pytest.raises(UserError, match="unknown origin"):
        generate_seqcsist(tmp_path, rules=Rules(seed=2), **FEW)
    with pytest.raises(UserError, match="--train 0: trajectories, 1 to 1000000"):
        generate_seqcsist(tmp_path / "none", **{**FEW, "train": 0})


def test_command_takes_every_rule_and_reports(tmp_path, capsys):
    command = ["generate", "seqcsist", "--output", str(tmp_path / "set"), "--seed", "5"]
    command += ["--train", "4", "--val", "1", "--test", "2", "--targets", "5", "6", "--size", "13"]
    command += ["--frames", "8", "--sigma", "0.6", "--distance", "0.4", "--step", "0.1"]
    command += ["--drift", "0.01", "--intensity", "90", "120", "--flicker", "--curves", "line"]
    command += ["--slope", "0.5", "--curvature", "0.1", "--radius", "3", "4", "--factor", "5"]
    assert main(command) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 3 and "4 trajectories of 8 frames" in said[0] and "65 x 65 grid" in said[0]
    split = read_split(tmp_path / "set/train.npz")
    rules = Rules(
        size=13, frames=8, sigma=0.6, targets=(5, 6), distance=0.4, step=0.1, drift=0.01,
        intensity=(90, 120), flicker=True, curves=("line",), slope=0.5, curvature=0.1,
        radius=(3, 4), seed=5,
    )  # fmt: skip
    for key, value in rules.as_dict().items():
        assert split.info[key] == (list(value) if isinstance(value, tuple) else value), key
    assert np.load(tmp_path / "set/q_init_x5.npz")["q_init"].shape == (65**2, 13**2)
    assert main([*command[:4], "--targets", "3", "9"]) == 2
    assert "two numbers of 1 to 8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"train": 10**12}, "--train 1000000000000"),
        ({"factor": 0}, "--factor 0: grid cells per pixel and axis, 1 to 64"),
        ({"rules": Rules(size=256)}, "--size 256 make a sampling matrix.*; --size is 128"),
        ({"rules": Rules(size=99)}, "--size 99 make a sampling matrix.*; --factor is 1 at most"),
        ({"background_gain": float("inf")}, "--background-gain inf: .* 1e-06 to 1e"),
        ({"background_range": (0.0, float("inf"))}, "--background-range 0 inf"),
        ({"background_range": (float("nan"), 9.0)}, "--background-range nan 9"),
        ({"background_range": (9.0, 9.0)}, "--background-range 9 9"),
    ],
)
def test_numbers_that_cannot_be_are_refused_before_anything_is_written(given, said, tmp_path):
    with pytest.raises(UserError, match=said):
        generate_seqcsist(tmp_path / "set", **{**FEW, **given})
    assert not (tmp_path / "set").exists()


def test_damaged_files_are_named(tmp_path):
    file = generate_seqcsist(tmp_path, **FEW)["val"]
    arrays = dict(np.load(file))
    np.savez(file, **{**arrays, "positions": arrays["positions"] + 20})
    with pytest.raises(DatasetError, match=r"val.npz: trajectory 0 has a target outside"):
        read_split(file)
    np.savez(file, **{**arrays, "counts": arrays["counts"] + 1})
    with pytest.raises(DatasetError, match=r"val.npz: its arrays do not fit"):
        read_split(file)
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(DatasetError, match=r"val.npz: damaged.*--overwrite"):
        read_split(file)
