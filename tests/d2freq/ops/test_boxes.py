"""d2freq.ops.boxes against naive loops in float64 and against torch.distributions."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from d2freq.ops.boxes import gaussian_kl, gaussian_wasserstein2, gaussians


def boxes(count, seed, dtype=torch.float64):
    random = torch.Generator().manual_seed(seed)
    centres = torch.rand(count, 2, generator=random, dtype=torch.float64) * 100
    halves = torch.rand(count, 2, generator=random, dtype=torch.float64) * 20 + 0.5
    return torch.cat((centres - halves, centres + halves), dim=1).to(dtype)


def geometry(box):
    left, top, right, bottom = box
    width, height = max(right - left, 1e-6), max(bottom - top, 1e-6)
    return (left + right) / 2, (top + bottom) / 2, width, height


def naive_wasserstein2(one, other):
    (x1, y1, w1, h1), (x2, y2, w2, h2) = geometry(one), geometry(other)
    return (x1 - x2) ** 2 + (y1 - y2) ** 2 + ((w1 - w2) ** 2 + (h1 - h2) ** 2) / 4


def naive_kl(one, other):
    (x1, y1, w1, h1), (x2, y2, w2, h2) = geometry(one), geometry(other)
    quotients = (w2 / w1) ** 2 + (h2 / h1) ** 2
    offsets = 4 * (x1 - x2) ** 2 / w1**2 + 4 * (y1 - y2) ** 2 / h1**2
    return (quotients + offsets + math.log(w1**2 / w2**2) + math.log(h1**2 / h2**2) - 2) / 2


DISTANCES = {gaussian_wasserstein2: naive_wasserstein2, gaussian_kl: naive_kl}


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-10), (torch.float32, 2e-5)])
@pytest.mark.parametrize("function", DISTANCES)
def test_each_distance_equals_a_naive_loop(function, dtype, tolerance):
    first, second = boxes(7, 0, dtype), boxes(11, 1, dtype)
    second[3] = first[2]
    result = function(gaussians(first), gaussians(second))
    loop = [[DISTANCES[function](a, b) for b in second.tolist()] for a in first.tolist()]
    assert result.dtype == dtype and result.shape == (7, 11)
    torch.testing.assert_close(
        result.double(), torch.tensor(loop, dtype=torch.float64), rtol=tolerance, atol=tolerance
    )


def test_kl_equals_the_divergence_of_torch_distributions():
    """The variances below are the first argument's, so its distribution is the second of KL."""
    first, second = boxes(6, 2), boxes(5, 3)

    def normal(box):
        half = (box[..., 2:] - box[..., :2]) / 2
        return Independent(Normal(box[..., :2] + half, half), 1)

    oracle = kl_divergence(normal(second[None]), normal(first[:, None]))
    torch.testing.assert_close(gaussian_kl(gaussians(first), gaussians(second)), oracle)


@pytest.mark.parametrize("function", DISTANCES)
def test_boxes_without_area_and_of_any_size_stay_finite_in_float32(function):
    sides = torch.tensor([0.0, 1e-7, 1e-3, 1.0, 17.5, 800.0, 20000.0])
    corners = torch.tensor([0.0, 799.0]).repeat_interleave(len(sides))
    odd = torch.stack((corners, corners, corners + sides.repeat(2), corners), dim=1)
    odd[::2, 3] += 3
    result = function(gaussians(odd), gaussians(odd))
    assert result.dtype == torch.float32 and result.isfinite().all() and (result >= -1e-5).all()
    half = gaussians(odd.half()[:6])
    half = function(half, half)
    assert half.dtype == torch.float32 and half.isfinite().all()


@pytest.mark.parametrize("function", DISTANCES)
def test_no_boxes(function):
    none, three = gaussians(torch.zeros(0, 4)), gaussians(boxes(3, 0))
    assert function(none, three).shape == (0, 3) and function(three, none).shape == (3, 0)


@pytest.mark.parametrize("function", DISTANCES)
def test_rows_have_the_same_bits_alone_and_in_the_matrix(function):
    first, second = gaussians(boxes(37, 4, torch.float32)), gaussians(boxes(101, 5, torch.float32))
    whole = function(first, second)
    for rows in (1, 3, 8, 36):
        parts = [function(part, second) for part in first.split(rows, dim=1)]
        assert torch.equal(torch.cat(parts), whole)


def test_boxes_of_one_shape_at_equal_distances_tie():
    truth = torch.tensor([[8.0, 8.0, 16.0, 16.0]])
    centres = torch.tensor([[17.0, 12.0], [7.0, 12.0], [12.0, 17.0], [15.0, 16.0], [8.0, 9.0]])
    fields = torch.cat((centres - 8.75, centres + 8.75), dim=1)
    mirrored = torch.tensor([[2.0, 7.0, 22.0, 17.0], [7.0, 2.0, 17.0, 22.0]])
    for function in DISTANCES:
        for others in (fields, mirrored):
            assert function(gaussians(truth), gaussians(others)).unique().numel() == 1
