"""A width that was given, against the one that the frames show."""

import numpy as np
import pytest
import torch

from d2freq.inference.unmixing import UnmixOptions, unmix
from d2freq.ops.psf import render


@pytest.fixture
def file(tmp_path):
    """Two frames of two targets apart, of a spot of 0.6 pixels, with noise."""
    places = torch.tensor([[2.1, 2.3], [6.0, 5.4]], dtype=torch.float64).expand(2, 2, 2)
    frames = render(places, torch.full((2, 2), 2000.0).double(), size=9, sigma=0.6).numpy()
    np.save(tmp_path / "a.npy", frames + np.random.default_rng(0).normal(50, 5, frames.shape))
    return tmp_path / "a.npy"


@pytest.mark.parametrize("sigma", [0.5, 0.75])
def test_a_wrong_width_is_told_with_both_numbers(file, sigma):
    (note,) = unmix(UnmixOptions(source=file, sigma=sigma)).notes
    assert f"--sigma {sigma:g} contradicts the frames" in note
    assert float(note.split("spots have ")[1].split()[0]) == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize("sigma", [0.57, 0.63])
def test_a_width_within_a_tenth_is_taken_as_it_is(file, sigma):
    assert unmix(UnmixOptions(source=file, sigma=sigma)).notes == ()


def test_what_was_explained_together_is_told(file):
    whole = unmix(UnmixOptions(source=file, sigma=0.6, frames=99))
    assert whole.frames == "all" and "the whole sequence" in whole.lines[0]
    assert unmix(UnmixOptions(source=file, sigma=0.6, frames=1)).frames == "1"
