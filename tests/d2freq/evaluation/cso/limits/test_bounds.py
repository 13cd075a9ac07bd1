"""Bounds of generated trajectories against those of an independent computation, and their order.

The stored medians were computed by separate scripts of numpy: median over 200 configurations of
the root mean square error of an axis, noise of 3 grey levels, to two or three digits.
"""

import numpy as np
import pytest
import torch

from d2freq.data.seqcsist.rules import Rules
from d2freq.data.seqcsist.trajectories import draw_trajectory
from d2freq.errors import UserError
from d2freq.evaluation.cso.limits import ALL_FRAMES, Knowledge, bound_covariances, bound_scores
from d2freq.ops.fisher import position_covariances

ON_AXES = {"distance": (0.3, 0.3266)}
MEDIANS = {  # of 2, 3 and 4 targets
    "intensities free": ({"intensity": ()}, (0.159, 0.288, 2.65)),
    "intensity prior": ({}, (0.044, 0.110, 0.394)),
    "5 frames": ({"frames": 5}, (0.021, 0.048, 0.168)),
    "20 frames": ({"frames": ALL_FRAMES}, (0.011, 0.020, 0.068)),
    "known axes": (ON_AXES, (0.014, 0.010, 0.009)),
}


@pytest.fixture(scope="module")
def groups():
    """K -> positions (400, 20, K, 2), intensities (400, 20, K), directions (400, K, 2)."""
    found = {}
    for targets in (2, 3, 4):
        rules = Rules(targets=(targets, targets))
        drawn = [draw_trajectory(rules, split, i) for split in ("test", "val") for i in range(200)]
        parts = (
            np.stack([getattr(one, name) for one in drawn])
            for name in ("positions", "intensities", "directions")
        )
        found[targets] = [torch.from_numpy(part) for part in parts]
    return found


@pytest.fixture(scope="module")
def trajectories():
    return [draw_trajectory(Rules(), "test", index) for index in range(60)]


@pytest.mark.parametrize("name", MEDIANS)
def test_medians_are_within_5_per_cent_of_the_independent_ones(groups, name):
    choice, medians = MEDIANS[name]
    for targets, expected in zip(groups, medians, strict=True):
        positions, lights, directions = groups[targets]
        known = bound_covariances(
            positions, lights, noise=3.0, known=Knowledge(**choice), directions=directions
        )
        variances = position_covariances(known[:, 2:18]).diagonal(dim1=-2, dim2=-1)
        digit = 10.0 ** -(3 if expected < 1 else 2) / 2  # what rounding took from it
        own = variances.mean((-1, -2)).sqrt().median().item()
        assert own == pytest.approx(expected, abs=0.05 * expected + digit)


def scored(trajectories, **choice):
    noise = choice.pop("noise", 3.0)
    optics = {key: choice.pop(key) for key in ("rounding", "saturation") if key in choice}
    return bound_scores(trajectories, noise=noise, known=Knowledge(**choice), **optics)


def test_the_more_is_known_the_better(trajectories):
    """From intensities that are not known to axes that are, in the order of what is known."""
    choices = [
        {"intensity": ()},
        {},
        {"frames": 5},
        {"frames": ALL_FRAMES},
        ON_AXES,
    ]
    found = [scored(trajectories, **choice) for choice in choices]
    for order in ("confidence", "intensity"):
        scores = [values[order]["CSO-mAP"] for values in found]
        assert scores == sorted(scores)
    assert [values["sd"] for values in found] == sorted((v["sd"] for v in found), reverse=True)


def test_a_smooth_motion_says_more_than_a_free_one_and_a_still_group_most(groups):
    positions, lights, _ = groups[3]
    found = []
    for motion in ("free", "smooth", "still"):
        known = Knowledge(frames=5, motion=motion)
        covariances = bound_covariances(positions[:20], lights[:20], noise=3.0, known=known)
        found.append(position_covariances(covariances).diagonal(dim1=-2, dim2=-1))
    assert (found[0] > found[1]).all() and (found[1] > found[2]).all()


def test_confidence_orders_detections_better_than_intensity(trajectories):
    for noise, least in ((2.0, 0.08), (3.0, 0.08)):
        values = scored(trajectories, frames=5, noise=noise)
        gain = values["confidence"]["CSO-mAP"] - values["intensity"]["CSO-mAP"]
        assert gain > least


def test_without_noise_all_is_exact_and_eight_bits_cost(trajectories):
    assert scored(trajectories, noise=0.0)["intensity"]["CSO-mAP"] == 1
    rounded = scored(trajectories, noise=0.0, rounding=1.0)["intensity"]["CSO-mAP"]
    cut = scored(trajectories, noise=0.0, rounding=1.0, saturation=255.0)["intensity"]["CSO-mAP"]
    assert cut < rounded < 1 and rounded == pytest.approx(0.897, abs=0.03)


def test_drawn_errors_have_the_covariance_of_the_bound(trajectories):
    """AP at a distance is what the share of errors below it makes of it."""
    two = [one for one in trajectories if one.positions.shape[1] == 2][:3]
    many = bound_scores(two, noise=3.0, known=Knowledge(frames=5), draws=40)
    assert 0.015 < many["sd"] < 0.03  # 2.5 to 4 sigmas are 0.1 pixels
    assert many["error"] == pytest.approx(0.92 * many["sd"], rel=0.1)  # chi of 4: median / mean
    assert many["confidence"]["AP15"] > 0.99 > many["confidence"]["AP05"] > 0.8


def test_choices_that_contradict_each_other_are_refused(trajectories):
    for words, choice in (
        ("odd number", {"frames": 4}),
        ("motion: 'wild'", {"motion": "wild"}),
        ("intensity=", {"intensity": (250.0, 220.0)}),
        ("known axes", {"frames": 5, "distance": (0.3, 0.4)}),
    ):
        with pytest.raises(UserError, match=words):
            Knowledge(**choice)
    with pytest.raises(UserError, match="a window of 21"):
        scored(trajectories, frames=21)
    with pytest.raises(UserError, match="directions"):
        bound_covariances(
            torch.ones(1, 1, 2, 2).double(),
            torch.ones(1, 1, 2).double(),
            noise=1.0,
            known=Knowledge(distance=(0.3, 0.4)),
        )
