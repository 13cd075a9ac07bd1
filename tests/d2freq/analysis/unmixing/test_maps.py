"""Figures of unmixing, from models on generated trajectories to PNG files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from d2freq.analysis.unmixing.maps import unmix
from d2freq.analysis.unmixing.plots import plot_methods, plot_overlap, plot_sequence
from d2freq.cli import main
from d2freq.data.seqcsist import generate_seqcsist, load_q_init, register_seqcsist
from d2freq.errors import UserError
from d2freq.modeling.unmixing import ISTA, LeastSquares

NAME = "visualize_unmixing_test"
CONFIGS = Path(__file__).resolve().parents[4] / "configs" / "derefnet"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A registered split of six trajectories; yields its folder."""
    from detectron2.data import DatasetCatalog, MetadataCatalog

    folder = tmp_path_factory.mktemp("seqcsist")
    generate_seqcsist(folder, train=40, val=1, test=6, progress=False)
    register_seqcsist(NAME, folder / "test.npz")
    yield folder
    DatasetCatalog.remove(NAME)
    MetadataCatalog.remove(NAME)


@pytest.fixture(scope="module")
def models(data):
    q_init = load_q_init(NAME)
    return {
        "Q_init": LeastSquares(q_init=q_init).eval(),
        "ISTA": ISTA(q_init=q_init, iterations=50).eval(),
    }


def pixels(path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def reddish(picture) -> int:
    return int(((picture[..., 0] - picture[..., 1:].max(-1)) > 60).sum())


def cyanish(picture) -> int:
    return int(((picture[..., 1:].min(-1) - picture[..., 0]) > 60).sum())


def test_scenes_hold_what_models_saw_and_made(models):
    scenes = unmix(models, NAME, [4, 1], points=True)
    assert [scene.trajectory for scene in scenes] == [4, 1]
    for scene in scenes:
        assert scene.numbers.tolist() == list(range(2, 18))
        assert scene.frames.shape == (16, 11, 11) and scene.truth.shape == (16, 33, 33)
        for name, model in models.items():
            frames = torch.from_numpy(scene.frames)
            estimate = model.estimate(frames[:, None])[:, 0].detach().numpy()
            assert np.allclose(scene.grids[name], estimate, atol=1e-2)
            for found, targets in zip(scene.points[name], scene.positions, strict=True):
                distance = np.linalg.norm(found[:, None, :2] - targets, axis=2)
                assert len(found) == len(targets) and distance.min(0).max() < 0.02
    noisy = unmix(models, NAME, [4], noise=3.0)[0]
    assert 2.8 < (noisy.frames - scenes[0].frames).std() < 3.2 and noisy.points == {}


def test_methods_have_a_row_a_trajectory_and_a_column_a_model(models, tmp_path):
    scenes = unmix(models, NAME, [0, 1, 2], points=True)
    wide = pixels(plot_methods(scenes, tmp_path / "new" / "wide.png", frame=9))
    narrow = pixels(plot_methods(scenes[:1], tmp_path / "narrow.png", frame=9, margin=None))
    assert wide.shape[0] > 2 * narrow.shape[0] and wide.shape[1] == narrow.shape[1]
    assert reddish(wide) > 200 and cyanish(wide) > 200
    plain = unmix({"Q_init": models["Q_init"]}, NAME, [0])
    alone = pixels(plot_methods(plain, tmp_path / "alone.png", frame=9))
    assert alone.shape[1] < narrow.shape[1] and cyanish(alone) == 0


def test_a_sequence_has_a_column_a_frame(models, tmp_path):
    (scene,) = unmix(models, NAME, [3])
    two = pixels(plot_sequence(scene, tmp_path / "two.png", frames=[2, 17]))
    four = pixels(plot_sequence(scene, tmp_path / "four.png", frames=[2, 7, 12, 17]))
    assert four.shape[0] == two.shape[0] and four.shape[1] > 1.6 * two.shape[1]
    with pytest.raises(UserError, match="frames 2 to 17"):
        plot_sequence(scene, tmp_path / "no.png", frames=[1])
    with pytest.raises(UserError, match="no frame"):
        plot_sequence(scene, tmp_path / "no.png", frames=[])
    with pytest.raises(UserError, match="no trajectory"):
        plot_methods([], tmp_path / "no.png", frame=9)


def test_overlap_needs_no_data(tmp_path):
    path = tmp_path / "overlap.png"
    assert main(["visualize", "unmixing", "--figure", "overlap", "--output", str(path)]) == 0
    assert pixels(path).shape[1] > 1000
    for distances in ([], [-1.0], [10.0]):
        with pytest.raises(UserError, match="--distances"):
            plot_overlap(tmp_path / "no.png", distances=distances)


def test_the_command_takes_configs(data, tmp_path, capsys):
    words = ["visualize", "unmixing", "--dataset", NAME, "--trajectories", "0", "5", "--points"]
    for method in ("least_squares", "srcnn"):
        words += ["--model", str(CONFIGS / f"{method}_seqcsist.yaml")]
    overrides = ["MODEL.DEVICE", "cpu", "MODEL.UNMIXING.Q_INIT", NAME]
    for figure in ("methods", "sequence"):
        path = tmp_path / f"{figure}.png"
        assert main([*words, "--figure", figure, "--output", str(path), *overrides]) == 0
        assert cyanish(pixels(path)) > 100 and str(path) in capsys.readouterr().out
    assert main(["visualize", "unmixing", "--output", str(path)]) == 2
    assert "--model is missing" in capsys.readouterr().err
    assert main([*words, "--names", "one", "--output", str(path)]) == 2
    assert "2 models need as many different names" in capsys.readouterr().err


def test_what_cannot_be_drawn_is_named(models):
    with pytest.raises(UserError, match="no model"):
        unmix({}, NAME, [0])
    with pytest.raises(UserError, match="no trajectory 6; it has 6, from 0 to 5"):
        unmix(models, NAME, [6])
    with pytest.raises(UserError, match="not registered"):
        unmix(models, "nowhere_test", [0])
    with pytest.raises(UserError, match="no trajectories"):
        unmix(models, "tiny_scenes_val", [0])
    with pytest.raises(UserError, match="no unmixing model"):
        unmix({"other": torch.nn.Identity()}, NAME, [0])
    other = LeastSquares(q_init=models["Q_init"].q_init, window=3)
    with pytest.raises(UserError, match="not comparable"):
        unmix({**models, "other": other}, NAME, [0])
