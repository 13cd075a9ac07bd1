"""The decoder as an option of every unmixing model, on frames with noise.

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
from d2freq.modeling.unmixing import LeastSquares

from ..methods_cases import SMALL, config, small_model

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


@pytest.mark.parametrize("kind", [*SMALL, DeRefNet])
def test_decoding_raises_the_metric_of_every_method(kind, scene):
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


def test_what_is_known_of_brightness_is_a_key():
    cfg = config(LeastSquares)
    assert cfg.MODEL.UNMIXING.BRIGHTNESS == (220.0, 250.0)
    cfg = config(LeastSquares, "MODEL.UNMIXING.BRIGHTNESS", "()")
    assert cfg.MODEL.UNMIXING.BRIGHTNESS == ()
    for wrong in ((250, 220), (0, 100), (235,)):
        with pytest.raises(UserError, match="MODEL.UNMIXING.BRIGHTNESS"):
            small_model(LeastSquares, brightness=wrong)
