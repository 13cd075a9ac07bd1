"""How many frames the decoder of a model looks at: MODEL.UNMIXING.DECODE_FRAMES and FLICKER."""

import pytest
import torch

from d2freq.data.seqcsist.frames import observe
from d2freq.data.seqcsist.rules import Rules
from d2freq.data.seqcsist.trajectories import draw_trajectory
from d2freq.errors import UserError
from d2freq.modeling.unmixing import LeastSquares

from ...methods_cases import config, small_model


@pytest.fixture(scope="module")
def records():
    """Two trajectories of eight clean frames, and what they show."""
    drawn = [draw_trajectory(Rules(size=5, frames=8), "test", number) for number in range(2)]
    frames = [observe(one.positions, one.intensities, size=5) for one in drawn]
    return [{"frames": torch.from_numpy(own)[:, None]} for own in frames], drawn


@pytest.mark.parametrize(("length", "flicker"), [(1, False), (5, True), ("all", False)])
def test_targets_of_the_centre_frames_with_covariances(records, length, flicker):
    options = {"decode": True, "decode_frames": length, "flicker": flicker}
    model = small_model(LeastSquares, **options).eval()
    for output, truth in zip(model(records[0]), records[1], strict=True):
        wanted = truth.positions[output["frames"].numpy()]
        assert len(output["points"]) == len(wanted) == len(output["grid"])
        for points, spread, scores, places in zip(
            output["points"], output["covariances"], output["scores"], wanted, strict=True
        ):
            assert len(points) == len(spread) == len(scores) == len(places)
            apart = torch.cdist(points[:, :2].double(), torch.from_numpy(places))
            assert apart.min(0).values.max() < 0.02
            assert (torch.linalg.eigvalsh(spread.double()) > 0).all() and (scores < 0).all()


def test_the_key_takes_a_number_or_all_and_no_even_window():
    cfg = config(LeastSquares)
    assert cfg.MODEL.UNMIXING.DECODE_FRAMES is None and cfg.MODEL.UNMIXING.FLICKER is False
    for text, value in (("5", 5), ("all", "all")):
        cfg = config(LeastSquares, "MODEL.UNMIXING.DECODE_FRAMES", text)
        assert cfg.MODEL.UNMIXING.DECODE_FRAMES == value
    for wrong in (4, 0, "every"):
        with pytest.raises(UserError, match="MODEL.UNMIXING.DECODE_FRAMES"):
            small_model(LeastSquares, decode_frames=wrong)
