"""A background below the least number: found, put back, and left alone where it is above."""

import numpy as np
import pytest
import torch

from d2freq.inference.unmixing import UnmixOptions, unmix
from d2freq.inference.unmixing.black import find_black, put_back
from d2freq.ops.psf import render

NOISE = 3.0
PLACES = torch.tensor([[5.2, 4.8], [5.8, 5.3]], dtype=torch.float64)  # 0.78 pixels apart


@pytest.fixture(scope="module")
def whole():
    """(9, 11, 11) float64: two targets on a background of 0 with noise."""
    places = PLACES + 0.04 * torch.arange(9, dtype=torch.float64)[:, None, None]
    noise = torch.randn(9, 11, 11, generator=torch.Generator().manual_seed(3)).double()
    light = render(places, torch.full((9, 2), 230.0).double(), size=11, sigma=0.5)
    return (light + NOISE * noise).numpy(), places.numpy()


def found(tmp_path, frames, **options):
    np.save(tmp_path / "frames.npy", frames)
    return unmix(UnmixOptions(source=tmp_path / "frames.npy", sigma=0.5, frames="all", **options))


def error(found, places):
    """Root mean square error of an axis in pixels, of the nearest targets."""
    apart = [
        np.linalg.norm(own[:, None, :2] - true, axis=2).min(0)
        for own, true in zip(found.points, places, strict=True)
    ]
    return float(np.sqrt(np.mean(np.square(apart)) / 2))


def test_what_is_cut_off_is_put_back(whole, tmp_path):
    frames, places = whole
    cut = np.clip(np.round(frames - 6), 0, None).astype(np.uint8)
    result = found(tmp_path, cut)
    assert [len(own) for own in result.points] == [2] * 9
    (note,) = [line for line in result.lines if "cut off" in line]
    assert "frames with an offset are better" in note
    assert error(result, places) < 0.03
    again = found(tmp_path, cut)
    assert np.array_equal(result.points[4], again.points[4])
    level = float(note.split("taken as ")[1].split()[0])
    noise = float(note.split("noise of ")[1].split(";")[0])
    assert level == pytest.approx(-6, abs=1.5) and noise == pytest.approx(NOISE, abs=0.7)


def test_a_background_at_the_least_number_stays_as_it_is(whole, tmp_path):
    frames, places = whole
    for own in (np.clip(frames, 0, None), np.clip(np.round(frames), 0, 255).astype(np.uint8)):
        result = found(tmp_path, own)
        assert not result.notes and error(result, places) < 0.03


def test_clean_frames_and_faint_targets_are_no_noise():
    clean = render(PLACES, torch.full((2,), 230.0).double(), size=11, sigma=0.5)[None].round()
    assert find_black(clean, clean, step=1.0) is None
    sky = torch.zeros(5, 40, 40, dtype=torch.float64)
    sky[:, ::6, ::6] = torch.tensor([1.0, 1.0, 1.0, 1.0, 60.0, 1.0, 1.0])
    assert find_black(sky, torch.zeros_like(sky), step=0) is None


@pytest.mark.parametrize(("level", "step"), [(-2.0, 0.0), (-4.0, 0.0), (-5.0, 1.0)])
def test_level_and_noise_come_out_and_the_draws_have_them(level, step):
    noise = NOISE * torch.randn(20, 33, 33, generator=torch.Generator().manual_seed(0)).double()
    seen = noise + level
    seen = (seen.round() if step else seen).clamp(min=0)
    nothing = torch.zeros_like(seen)
    black = find_black(seen, nothing, step=step)
    assert black.mean == pytest.approx(level, rel=0.1)
    assert black.deviation == pytest.approx(NOISE, rel=0.08)
    back = put_back(seen, nothing, black)
    assert torch.equal(back[seen > 0], seen[seen > 0])
    assert float(back.mean()) == pytest.approx(level, rel=0.1)
    assert float(back.std()) == pytest.approx(NOISE, rel=0.08)
