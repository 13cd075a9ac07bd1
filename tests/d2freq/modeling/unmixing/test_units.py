"""Frames that are not in grey levels give no targets, or too many: a warning says why."""

import warnings

import pytest
import torch

from d2freq.modeling.unmixing import LeastSquares
from d2freq.modeling.unmixing.decoding.decode import decode
from d2freq.ops.psf import render, sampling_matrix

FRAMES = render(torch.tensor([[5.1, 4.8]]), torch.tensor([240.0]))[None]
GRID = torch.zeros(1, 33, 33)
GRID[0, 16, 15] = 240


@pytest.mark.parametrize("scale", [1 / 255, 1 / float(FRAMES.max())])
def test_frames_from_0_to_1_find_nothing_and_that_is_told(scale):
    with pytest.warns(UserWarning, match=r"scaled to 0\.\.1.*threshold of 70.*255"):
        (found,) = decode(GRID * scale, FRAMES * scale)
    assert len(found) == 0


def test_frames_of_16_bits_are_told():
    with pytest.warns(UserWarning, match="more than 8 bits"):
        decode(GRID * 257, FRAMES * 257, brightness=())


@pytest.mark.parametrize(
    ("frames", "grid", "more"),
    [
        (FRAMES, GRID, {}),
        (torch.zeros_like(FRAMES), GRID, {}),  # nothing there, in any unit
        (FRAMES / 255, GRID / 255, {"threshold": 0.3, "brightness": (0.8, 1.0)}),  # all scaled
        (FRAMES[:0], GRID[:0], {}),
    ],
)
def test_what_may_be_right_is_silent(frames, grid, more):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decode(grid, frames, **more)


@pytest.mark.parametrize("decodes", [False, True])
def test_a_model_tells_once(decodes):
    model = LeastSquares(q_init=torch.linalg.pinv(sampling_matrix(11, 3, 0.5)), decode=decodes)
    record = {"frames": FRAMES.repeat(5, 1, 1)[:, None] / 255}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        for _ in range(3):
            (output,) = model.eval()([record])
    assert len(told) == 1 and "0..1" in str(told[0].message)
    if decodes:
        assert [len(points) for points in output["points"]] == [0]
