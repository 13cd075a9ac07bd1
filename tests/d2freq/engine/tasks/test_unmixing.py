"""Bad input to an unmixing model, to its trainer and to the checks before a run."""

import numpy as np
import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.modeling import build_model

from d2freq.data.seqcsist import Rules, generate_seqcsist, load_q_init, register_seqcsist
from d2freq.engine import check
from d2freq.errors import DatasetError, UserError
from d2freq.modeling.derefnet import DeRefNet
from d2freq.modeling.unmixing import ESPCN, LeastSquares

from ...modeling.derefnet.derefnet_cases import batch, small_derefnet
from ...modeling.unmixing.methods_cases import config


@pytest.fixture
def sequences(tmp_path):
    """A registered data set of two trajectories of 7 frames of 5 x 5 pixels."""
    rules = Rules(size=5, frames=7)
    files = generate_seqcsist(tmp_path, rules=rules, train=2, val=1, test=1, progress=False)
    name = f"few_{tmp_path.name}"
    register_seqcsist(name, files["train"])
    yield name
    DatasetCatalog.remove(name)
    MetadataCatalog.remove(name)


def small_config(name, *overrides):
    """A small DeRefNet on that data set."""
    words = ["MODEL.UNMIXING.SIZE", 5, "MODEL.DEREFNET.CHANNELS", 4, "MODEL.DEREFNET.STAGES", 1]
    words += ["DATASETS.TRAIN", (name,), "DATASETS.TEST", (name,), "D2FREQ.OPTIMIZER", "adam"]
    return config(DeRefNet, *words, "SOLVER.STEPS", (), *overrides)


@pytest.mark.parametrize("window", [4, 0, -1])
def test_an_even_window_is_refused(window):
    with pytest.raises(UserError, match=f"WINDOW is {window}.*odd"):
        small_derefnet(window=window)


def test_frames_of_another_size_are_refused_with_their_file():
    records = batch(1)
    records[0] |= {"frames": torch.zeros(7, 1, 6, 6), "file_name": "data/train.npz"}
    with pytest.raises(UserError, match=r"data/train.npz: frames of shape \(7, 1, 6, 6\).*SIZE"):
        small_derefnet().eval()(records)


def test_targets_of_another_grid_are_refused():
    records = batch(1)
    records[0]["target"] = torch.zeros(7, 1, 10, 10)
    with pytest.raises(UserError, match=r"target of shape.*\(T, 1, 15, 15\)"):
        small_derefnet()(records)


def test_a_trajectory_shorter_than_the_window_is_refused():
    with pytest.raises(UserError, match="4 frames is shorter than the window of 5"):
        small_derefnet().eval()(batch(1, length=4))


def test_trajectories_of_a_batch_have_one_length():
    with pytest.raises(UserError, match="8 frames, but.*IMS_PER_BATCH 1"):
        small_derefnet().eval()([*batch(1, 7), *batch(1, 8)])


def test_a_q_init_that_is_missing_or_of_other_optics_is_refused():
    with pytest.raises(UserError, match="Q_init.*MODEL.UNMIXING.Q_INIT"):
        LeastSquares()
    with pytest.raises(UserError, match=r"\(225, 25\).*\(1089, 121\)"):
        LeastSquares(q_init=torch.zeros(225, 25))
    assert "q_init" not in ESPCN().state_dict()  # needs none


def test_q_init_of_other_optics_is_refused_by_name(sequences, tmp_path):
    np.save(tmp_path / "other.npy", np.zeros((1089, 121)))
    with pytest.raises(UserError, match=r"other.npy.*\(1089, 121\)"):
        check(small_config(sequences, "MODEL.UNMIXING.Q_INIT", str(tmp_path / "other.npy")))
    with pytest.raises(UserError, match="nowhere"):
        check(small_config(sequences, "MODEL.UNMIXING.Q_INIT", "nowhere"))


def test_the_ridge_of_q_init_is_a_key_and_published_without(sequences):
    words = ["MODEL.META_ARCHITECTURE", "LeastSquares"]
    for ridge, extra in ((0.0, []), (0.01, ["MODEL.UNMIXING.Q_INIT_RIDGE", 0.01])):
        model = build_model(small_config(sequences, *words, *extra))
        assert torch.equal(model.q_init, load_q_init(sequences, ridge=ridge).float())
    with pytest.raises(UserError, match="Q_INIT_RIDGE is -1"):
        check(small_config(sequences, *words, "MODEL.UNMIXING.Q_INIT_RIDGE", -1.0), eval_only=True)


def test_checks_pass_what_fits(sequences):
    check(small_config(sequences))
    check(small_config(sequences, "MODEL.META_ARCHITECTURE", "LeastSquares"), eval_only=True)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["MODEL.UNMIXING.SIGMA", 0.4], "SIGMA is 0.4, but data set few_.* has 0.5"),
        (["MODEL.UNMIXING.SIZE", 7], r"\(441, 49\)|SIZE is 7"),
        (
            ["MODEL.UNMIXING.DECODE", True, "MODEL.UNMIXING.BRIGHTNESS", (100.0, 130.0)],
            r"BRIGHTNESS is \(100.0, 130.0\), but the targets of data set few_.* have 220 to 250",
        ),
        (["MODEL.UNMIXING.WINDOW", 4], "odd"),
        (["MODEL.UNMIXING.WINDOW", 9], "has 7 frames, a window 9"),
        (["DATASETS.TEST", ("tiny_scenes_val",)], "tiny_scenes_val has images"),
        (
            ["D2FREQ.OPTIMIZER", "adamx"],
            "'adamx' is unknown; choose one of sgd, adam, adamw",
        ),
        (["MODEL.META_ARCHITECTURE", "LeastSquares"], "--eval-only"),
    ],
)
def test_checks_refuse_what_does_not_fit(sequences, overrides, words):
    with pytest.raises(UserError, match=f"(?s){words}"):
        check(small_config(sequences, *overrides))


def test_a_detector_does_not_take_trajectories(sequences):
    words = ["MODEL.META_ARCHITECTURE", "RetinaNet", "MODEL.BACKBONE.NAME"]
    words += ["build_retinanet_resnet_fpn_backbone", "MODEL.RESNETS.DEPTH", 50]
    words += ["MODEL.RESNETS.OUT_FEATURES", ["res3", "res4", "res5"]]
    words += ["MODEL.FPN.IN_FEATURES", ["res3", "res4", "res5"]]
    with pytest.raises(UserError, match="has trajectories, which RetinaNet does not take"):
        check(small_config(sequences, *words, "MODEL.WEIGHTS", ""))


def test_missing_data_say_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    with pytest.raises(DatasetError, match="d2freq generate seqcsist"):
        check(small_config("seqcsist_train"))
