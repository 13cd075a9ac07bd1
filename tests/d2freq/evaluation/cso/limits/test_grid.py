"""The limits of CSO-mAP on generated trajectories come out as the geometry of a grid says."""

import numpy as np
import pytest

from d2freq.data.seqcsist.rules import Rules
from d2freq.data.seqcsist.trajectories import draw_trajectory
from d2freq.evaluation.cso.limits import oracles


@pytest.fixture(scope="module")
def limits():
    drawn = [draw_trajectory(Rules(), "test", index) for index in range(300)]
    middle = slice(2, 18)
    return oracles([d.positions[middle] for d in drawn], [d.intensities[middle] for d in drawn])


def test_limits_of_300_trajectories(limits):
    """47.8, 58.4 and 100: facts of the published metric on a simulated set of 750."""
    assert 100 * limits["perfect grid"]["CSO-mAP"] == pytest.approx(47.8, abs=1.5)
    assert 100 * limits["grid ceiling"]["CSO-mAP"] == pytest.approx(58.4, abs=1.5)
    assert limits["exact positions"] == dict.fromkeys(limits["exact positions"], 1.0)


def test_ap_of_a_perfect_grid_is_the_square_of_the_share_of_a_cell_that_is_near_enough(limits):
    """Hits are independent of intensity: precision is p at every recall up to p."""
    rng = np.random.default_rng(0)
    distance = np.linalg.norm(rng.uniform(-1 / 6, 1 / 6, (200_000, 2)), axis=1)
    for key, threshold in (("AP05", 0.05), ("AP10", 0.1), ("AP15", 0.15), ("AP20", 0.2)):
        share = np.mean(distance <= threshold)
        assert limits["perfect grid"][key] == pytest.approx(share**2, abs=0.03)


def test_no_order_of_the_cells_beats_the_ceiling(limits):
    for key, ceiling in limits["grid ceiling"].items():
        assert ceiling >= limits["perfect grid"][key]
