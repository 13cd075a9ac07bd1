"""The decoder as an option of unmixing models, one of each family, on frames with noise.

Without noise it finds everything from any grid, an empty one too, and says nothing of a method.
"""

import numpy as np
import pytest
import torch

from d2freq.data.seqcsist.frames import add_noise, observe
from d2freq.data.seqcsist.rules import Rules
from d2freq.data.seqcsist.trajectories import draw_trajectory
from d2freq.errors import UserError
from d2freq.evaluation.cso.metric import cso_map, grid_detections
from d2freq.modeling.derefnet import DeRefNet
from d2freq.modeling.unmixing import (
    ESPCN,
    ISTA,
    LISTA,
    TDAN,
    DISTANet,
    FISTANet,
    ISTANetPlus,
    LeastSquares,
    RichardsonLucy,
    USRNet,
)

from ..methods_cases import config, small_model

# every method gives its grids to one decoder, which takes a second each
FAMILIES = (LeastSquares, ISTA, RichardsonLucy, ISTANetPlus, FISTANet, DISTANet, LISTA, ESPCN)
FAMILIES += (USRNet, TDAN)
NETWORK = {"stages": 1, "channels": 4, "blocks": 1}  # of DeRefNet


@pytest.fixture(scope="module")
def scene():
    """Records of six trajectories with noise of a grey level, and where their targets are."""
    rules = Rules(size=5, frames=4)
    records, truth = [], []
    for number in range(6):
        drawn = draw_trajectory(rules, "test", number)
        frames = torch.from_numpy(observe(drawn.positions, drawn.intensities, size=5))
        noisy = add_noise(frames, 1.0, torch.Generator().manual_seed(number))
        records.append({"frames": noisy[:, None]})
        truth += list(drawn.positions[1:3])
    return records, truth


@pytest.mark.parametrize("kind", [*FAMILIES, DeRefNet])
def test_decoding_raises_the_metric_of_each_family(kind, scene):
    records, truth = scene
    options = NETWORK if kind is DeRefNet else {}
    model = small_model(kind, decode=True, **options).eval()
    with torch.no_grad():
        outputs = model(records)
    grids = [grid_detections(grid.numpy()) for output in outputs for grid in output["grid"]]
    points = [found.numpy() for output in outputs for found in output["points"]]
    before, after = (cso_map(found, truth)["CSO-mAP"] for found in (grids, points))
    assert after > before and after > 0.5
    assert all(found.shape[1] == 3 and found.dtype == np.float32 for found in points)
    for output in outputs:
        for found, spread, score in zip(
            *(output[key] for key in ("points", "covariances", "scores")), strict=True
        ):
            assert spread.shape == (len(found), 2, 2) and score.shape == (len(found),)
            assert torch.allclose(score, -(torch.linalg.det(spread) ** 0.25))


def test_the_order_of_targets_is_a_key(scene):
    assert config(LeastSquares).MODEL.UNMIXING.SCORE == "confidence"
    assert config(LeastSquares, "MODEL.UNMIXING.SCORE", "intensity").MODEL.UNMIXING.SCORE
    for kind in (LeastSquares, DeRefNet):
        options = NETWORK if kind is DeRefNet else {}
        model = small_model(kind, decode=True, score="intensity", **options).eval()
        output = model(scene[0][:1])[0]
        for points, scores in zip(output["points"], output["scores"], strict=True):
            assert torch.equal(points[:, 2], scores)
        with pytest.raises(UserError, match="MODEL.UNMIXING.SCORE: 'size' is unknown"):
            small_model(kind, score="size", **options)


def test_what_is_known_of_brightness_is_a_key():
    cfg = config(LeastSquares)
    assert cfg.MODEL.UNMIXING.BRIGHTNESS == (220.0, 250.0)
    cfg = config(LeastSquares, "MODEL.UNMIXING.BRIGHTNESS", "()")
    assert cfg.MODEL.UNMIXING.BRIGHTNESS == ()
    for wrong in ((250, 220), (0, 100), (235,)):
        with pytest.raises(UserError, match="MODEL.UNMIXING.BRIGHTNESS"):
            small_model(LeastSquares, brightness=wrong)
