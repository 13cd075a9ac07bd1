"""Each rule of SeqCSIST on 500 trajectories, and rules that contradict each other."""

from collections import Counter

import numpy as np
import pytest
import torch

from d2freq.data.seqcsist.grid import count_collided
from d2freq.data.seqcsist.rules import Rules
from d2freq.data.seqcsist.trajectories import curve_column, draw_trajectory
from d2freq.errors import UserError


@pytest.fixture(scope="module")
def tracks():
    return [draw_trajectory(Rules(), "train", index) for index in range(500)]


@pytest.fixture(scope="module")
def crowds():
    return [draw_trajectory(Rules(targets=(2, 8)), "test", index) for index in range(500)]


def test_reference_starts_on_a_whole_row_and_moves_by_its_side(tracks):
    starts = Counter()
    for track in tracks:
        rows = track.reference[:, 0]
        assert rows.shape == (20,) and rows[0] == int(rows[0]) and 1 <= rows[0] <= 9
        assert np.allclose(np.diff(rows), 0.04 if rows[0] < 5 else -0.04)
        starts[int(rows[0])] += 1
    assert set(starts) == set(range(1, 10)) and min(starts.values()) > 25


def test_reference_lies_on_its_curve(tracks):
    for track in tracks:
        kind, (a, b, c, d) = track.curve
        rows, columns = track.reference.T
        if kind == "circle":
            assert np.allclose((rows - a) ** 2 + (columns - b) ** 2, c**2)
            assert 2 <= c <= 8 and d in (-1, 1)
        else:
            fit = np.polynomial.Polynomial.fit(rows, columns, 1 if kind == "line" else 2)
            assert np.allclose(fit(rows), columns)
            assert a == rows[0] and b == pytest.approx(columns[0]) and max(abs(c), abs(d)) <= 1
            assert (kind == "parabola") == (d != 0)
        assert np.array_equal(curve_column(track.curve, rows), columns)
    kinds = Counter(track.curve[0] for track in tracks)
    assert set(kinds) == {"line", "parabola", "circle"} and min(kinds.values()) > 130


def test_reference_keeps_a_pixel_from_the_border_and_uses_the_width(tracks):
    columns = np.array([track.reference[:, 1] for track in tracks])
    assert columns.min() >= 1 and columns.max() <= 9
    assert columns[:, 0].min() < 1.5 and columns[:, 0].max() > 8.5


def test_targets_start_at_their_distance_in_distinct_directions(tracks):
    first = Counter()
    for track in tracks:
        offsets = (track.positions[0] - track.reference[0]) / 0.3
        names = {tuple(offset) for offset in np.round(offsets, 9) + 0.0}
        assert len(names) == len(offsets)
        assert names <= {(-1, 0), (1, 0), (0, -1), (0, 1)}
        first[tuple(np.round(offsets[0]) + 0.0)] += 1
    assert len(first) == 4 and min(first.values()) > 90  # the order is random


def test_targets_keep_their_direction_and_step_outward(tracks):
    steps = []
    for track in tracks:
        offsets = track.positions - track.reference[:, None]
        distances = np.linalg.norm(offsets, axis=2)
        assert np.allclose(offsets / distances[..., None], track.directions)
        steps.append(np.diff(distances, axis=0).ravel())
    steps = np.concatenate(steps)
    assert steps.min() >= -1e-12 and steps.max() <= 0.0014 + 1e-12
    assert steps.mean() == pytest.approx(0.0007, rel=0.02) and steps.max() > 0.00139


def test_intensities_and_counts(tracks):
    counts = Counter(track.positions.shape[1] for track in tracks)
    assert set(counts) == {2, 3, 4} and min(counts.values()) > 130
    values = np.concatenate([track.intensities[0] for track in tracks])
    assert values.min() >= 220 and values.max() <= 250 and np.ptp(values) > 29
    for track in tracks:
        assert track.intensities.shape == track.positions.shape[:2]
        assert (track.intensities == track.intensities[0]).all()


def test_flicker_draws_each_frame_anew():
    track = draw_trajectory(Rules(flicker=True), "train", 0)
    assert all(len(set(values)) == 20 for values in track.intensities.T)
    still = draw_trajectory(Rules(), "train", 0)
    assert np.array_equal(track.positions, still.positions)


def test_few_targets_lose_their_cell(tracks):
    """Perpendicular neighbours are 0.9 cells apart on each axis: now and then they share one."""
    lost = sum(count_collided(torch.from_numpy(track.positions)) for track in tracks)
    total = sum(track.intensities.size for track in tracks)
    assert 0.002 <= lost / total <= 0.006


def test_up_to_eight_targets_stay_apart(crowds):
    counts = Counter(track.positions.shape[1] for track in crowds)
    assert set(counts) == set(range(2, 9))
    for track in crowds:
        gaps = np.linalg.norm(track.positions[:, :, None] - track.positions[:, None], axis=3)
        gaps += 9 * np.eye(gaps.shape[1])
        assert gaps.min() >= 0.3 * 2**0.5 - 1e-9
        assert track.positions.min() > -0.5 and track.positions.max() < 10.5


def test_every_rule_is_a_parameter():
    rules = Rules(
        size=15, frames=7, targets=(3, 3), distance=0.5, step=0.2, drift=0.0, intensity=(9, 9),
        curves=("circle",), radius=(5, 5),
    )  # fmt: skip
    for index in range(50):
        track = draw_trajectory(rules, "val", index)
        assert track.positions.shape == (7, 3, 2) and (track.intensities == 9).all()
        assert np.allclose(np.abs(np.diff(track.reference[:, 0])), 0.2)
        gaps = np.linalg.norm(track.positions - track.reference[:, None], axis=2)
        assert np.allclose(gaps, 0.5) and track.curve[1][2] == 5
    straight = draw_trajectory(Rules(curves=("line",), slope=0), "val", 0)
    assert np.ptp(straight.reference[:, 1]) == 0
    flat = draw_trajectory(Rules(curves=("parabola",), slope=0, curvature=0), "val", 0)
    assert np.ptp(flat.reference[:, 1]) == 0


def test_trajectories_differ_by_seed_split_and_number_alone():
    first = draw_trajectory(Rules(), "train", 3)
    assert np.array_equal(first.positions, draw_trajectory(Rules(), "train", 3).positions)
    others = [(Rules(seed=1), "train", 3), (Rules(), "val", 3), (Rules(), "train", 4)]
    for other in others:
        assert not np.array_equal(first.reference, draw_trajectory(*other).reference)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"targets": (2, 9)}, "targets"),
        ({"targets": (4, 2)}, "--targets 4 2: .*smaller one first"),
        ({"intensity": (250, 220)}, "intensity"),
        ({"size": 4}, "--size 4: .*, 5 to 256"),
        ({"sigma": 0.0}, "sigma"),
        ({"sigma": float("nan")}, "--sigma nan: pixels.*0.1 to 10"),
        ({"sigma": float("inf")}, "--sigma inf"),
        ({"sigma": "wide"}, "--sigma 'wide'"),
        ({"intensity": (220, float("inf"))}, "--intensity 220 inf: .*1e-06 to 1e\\+09"),
        ({"intensity": (float("nan"), 250)}, "--intensity nan 250"),
        ({"intensity": 230}, "--intensity 230: .*two numbers"),
        ({"radius": (2, float("inf"))}, "--radius 2 inf"),
        ({"seed": 2**70}, "--seed 1180591620717411303424: a whole number, 0 to"),
        ({"size": 10**9}, "--size 1000000000"),
        ({"step": -0.1}, "step"),
        ({"step": 0.5}, "fewer frames or a smaller step"),
        ({"frames": 0}, "--frames 0: .*, 1 to 10000"),
        ({"slope": 20.0}, "line may climb"),
        ({"distance": 1.49, "drift": 0.1}, "lower them"),
        ({"radius": (0.2, 3.0)}, "circle is too small"),
        ({"curves": ("spiral",)}, "choose one of line, parabola, circle"),
    ],
)
def test_rules_without_sense_are_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        Rules(**wrong)
