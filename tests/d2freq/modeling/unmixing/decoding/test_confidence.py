"""What the decoder states of its errors, against the errors that it makes."""

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from d2freq.errors import UserError
from d2freq.evaluation.cso.metric import cso_map
from d2freq.modeling.unmixing.decoding.confidence import posterior
from d2freq.modeling.unmixing.decoding.decode import decode, decode_targets
from d2freq.modeling.unmixing.decoding.levenberg_marquardt import residuals
from d2freq.modeling.unmixing.decoding.state import Fit, Prior
from d2freq.modeling.unmixing.decoding.targets import Targets
from d2freq.ops.fisher import target_information
from d2freq.ops.psf import render, sampling_matrix

NOISE = 3.0
FRAMES = 240


@pytest.fixture(scope="module")
def found():
    """Truth [(K, 2)] of groups of 2 or 3 at 0.3 to 0.45 pixels from a centre, and their targets."""
    random = torch.Generator().manual_seed(0)
    truth, frames = [], []
    for number in range(FRAMES):
        count = 2 + number % 2
        angle = torch.rand(1, generator=random) * 7 + torch.arange(count) * 2 * torch.pi / count
        far = 0.3 + 0.15 * torch.rand(count, generator=random)
        places = torch.stack([far * angle.cos(), far * angle.sin()], 1).double()
        places = places + 2 + 6 * torch.rand(2, generator=random).double()
        bright = 220 + 30 * torch.rand(count, generator=random).double()
        truth.append(places.numpy())
        frames.append(render(places, bright).float())
    seen = torch.stack(frames)
    seen = seen + NOISE * torch.randn(seen.shape, generator=random)
    phi = sampling_matrix()
    damped = phi.T @ torch.linalg.inv(phi @ phi.T + 1e-3 * torch.eye(121, dtype=phi.dtype))
    grids = (seen.double().flatten(1) @ damped.T).reshape(-1, 33, 33).float()
    return truth, decode_targets(grids, seen), (grids, seen)


def test_68_per_cent_of_the_errors_are_within_a_stated_deviation(found):
    """Row and column each, where the number of targets is right; and their products, too."""
    truth, targets, _ = found
    shares, squares = [], []
    for places, own in zip(truth, targets, strict=True):
        if len(own.points) != len(places):
            continue
        at = own.points[:, :2].double().numpy()
        which, mine = linear_sum_assignment(np.linalg.norm(at[:, None] - places, axis=2))
        error, spread = (at[which] - places[mine]), own.covariances.double().numpy()[which]
        shares += list((np.abs(error) < np.sqrt(spread.diagonal(axis1=1, axis2=2))).ravel())
        squares += list(np.einsum("ni,nij,nj->n", error, np.linalg.inv(spread), error))
    assert len(shares) > 0.95 * 2 * sum(map(len, truth))
    assert np.mean(shares) == pytest.approx(0.683, abs=0.05)
    inside = np.array(squares) < 2.296  # chi2 of two degrees of freedom
    assert np.mean(inside) == pytest.approx(0.683, abs=0.07)


def test_the_order_by_confidence_finds_more_than_that_by_intensity(found):
    truth, targets, _ = found
    scores = {}
    for kind in ("confidence", "intensity"):
        rows = [torch.cat([t.points[:, :2], t.scores(kind)[:, None]], 1) for t in targets]
        scores[kind] = cso_map([row.numpy() for row in rows], truth)["CSO-mAP"]
    assert scores["confidence"] > scores["intensity"] + 0.04


def test_points_are_those_without_covariances(found):
    _, targets, (grids, seen) = found
    for own, points in zip(targets, decode(grids[:20], seen[:20]), strict=False):
        assert torch.allclose(own.points, points, atol=1e-4)
        assert torch.allclose(own.covariances, own.covariances.mT)
        assert (torch.linalg.eigvalsh(own.covariances) > 0).all()


def test_the_noise_comes_from_the_residual():
    """One target that nothing is known of: the textbook's covariance of least squares."""
    place, bright = torch.tensor([[[5.2, 4.9]]]).double(), torch.tensor([[235.0]]).double()
    information = target_information(place, bright)
    squares = torch.tensor([9.0 * 115]).double()
    own = posterior(information, torch.zeros(3).double(), squares, 118, 0.0)
    assert torch.allclose(own, 9 * torch.linalg.inv(information))
    # a number that is known before leaves its pixel to the noise
    sure = posterior(information, torch.tensor([0, 0, 1e9]).double(), squares, 118, 0.0)
    inner = torch.linalg.inv(information[:, :2, :2]) * 9 * 115 / 116
    assert torch.allclose(sure[:, :2, :2], inner, rtol=1e-5)


def test_more_noise_and_saturation_make_it_less_sure():
    places = torch.tensor([[5.1, 4.8], [5.3, 5.5]]).double()
    frame = render(places, torch.tensor([240.0, 230.0]).double()).float()
    noise = torch.randn(11, 11, generator=torch.Generator().manual_seed(0))
    frames = torch.stack([frame + noise, frame + 4 * noise, (frame + noise).clamp(max=100)])
    known = decode_targets(torch.zeros(3, 33, 33), frames, saturation=100.0)
    assert (frames[2] == 100).any()
    sure = [-own.scores().mean().item() for own in known]
    assert sure[1] > 3 * sure[0] and sure[2] > 1.05 * sure[0]


def test_a_saturated_pixel_does_not_bend_the_background():
    """The sensor cuts the sum of targets and background: 30 grey levels on a slope."""
    places = torch.tensor([[5.1, 4.8], [5.3, 5.5]]).double()
    bright = torch.tensor([240.0, 230.0]).double()
    slope = 30 + torch.arange(11.0)[:, None].double()
    prior = Prior(0.5, None, 0.15, 1e-3, 120.0)
    none = torch.zeros(1, 2, dtype=torch.bool)
    parts = (places[None], bright[None], ~none, places[None], none, torch.zeros(1).double())
    frame = (render(places, bright) + slope).clamp(max=120)[None]
    left = residuals(frame, Fit(*parts), prior)
    assert (frame == 120).any() and (left[frame == 120] == 0).all() and left.abs().max() < 1e-5
    targets = decode_targets(torch.zeros(1, 33, 33), frame, saturation=120.0)[0]
    order = targets.points[:, 1].argsort()
    assert (targets.points[order, :2].double() - places).abs().max() < 2e-3
    assert residuals(torch.full_like(frame, 120), Fit(*parts), prior).isfinite().all()


def test_a_sensor_that_cuts_at_0_shows_its_noise_all_the_same(found):
    """Without a pedestal half of the dark pixels of 8 bits are 0, and their noise is not seen."""
    grids, seen = (part[:60] for part in found[2])
    whole = decode_targets(grids, seen)
    parts = decode_targets(grids, seen.round().clamp(min=0))
    first, second = (-torch.cat([own.scores() for own in kind]) for kind in (whole, parts))
    assert second.median().item() == pytest.approx(first.median().item(), rel=0.15)


def test_another_kind_of_score_is_refused():
    with pytest.raises(UserError, match="MODEL.UNMIXING.SCORE: 'area' is unknown"):
        Targets(torch.zeros(0, 3), torch.zeros(0, 2, 2)).scores("area")
